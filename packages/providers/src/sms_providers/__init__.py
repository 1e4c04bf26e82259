"""Provider adapters: translators between our messages and the vendors' wire formats."""
