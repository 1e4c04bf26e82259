"""Sinch SMS, simulated."""
