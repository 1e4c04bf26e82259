"""How fast the system is on this machine, each figure with a baseline or an account from the same run; seen from outside only."""
