"""Providers, and which of them a message goes to."""
