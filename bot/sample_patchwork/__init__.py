"""A Patchwork server in memory that imitates the measured behaviour of real ones."""
