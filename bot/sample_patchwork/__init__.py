"""A Patchwork server in memory, that behaves as real ones were measured to."""
