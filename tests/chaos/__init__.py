"""Nothing lost, nothing doubled, whatever breaks: faults under load, and the account afterwards. `./smsgw chaos --list`."""
