"""Kavenegar, simulated."""
