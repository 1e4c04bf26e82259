"""One file per vendor; they know neither each other nor the transport."""
