"""Twilio Programmable Messaging, simulated."""
