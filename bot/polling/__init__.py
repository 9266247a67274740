"""Polling of Patchwork servers: new objects, read at least once and as a whole."""
