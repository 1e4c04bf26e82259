"""Infobip SMS, simulated."""
