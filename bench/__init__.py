"""Measurements, each a ratio taken within one process: `make bench`."""
