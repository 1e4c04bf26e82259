"""Vendors that misbehave on request; their ledgers are what the tests believe."""
