"""Kannel, simulated."""
