"""Plivo, simulated."""
