"""Watches the servers: what changed, who wants it, what is said, and all of it written in one transaction."""
