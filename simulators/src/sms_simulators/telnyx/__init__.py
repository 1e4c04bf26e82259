"""Telnyx Messaging, simulated."""
