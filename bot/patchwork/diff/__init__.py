"""Diff parsing: touched files, hunks, and Patchwork's digest of a diff."""
