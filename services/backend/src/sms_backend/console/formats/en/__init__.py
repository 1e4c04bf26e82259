"""In English, which is all it speaks."""
