"""The Vonage SMS API, simulated."""
