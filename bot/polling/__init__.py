"""Polls Patchwork servers: what is new there, read at least once and as a whole."""
