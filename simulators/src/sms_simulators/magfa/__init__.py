"""Magfa, simulated."""
