"""Clients, their API keys and quotas."""
