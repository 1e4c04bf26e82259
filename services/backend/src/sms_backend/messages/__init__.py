"""Messages and their attempts: tables, hot statements, what Redis shows of them."""
