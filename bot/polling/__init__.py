"""Polling of Patchwork servers: each new object is read at least once, and completely."""
