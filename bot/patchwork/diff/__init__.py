"""Reads diffs: the files they touch, their hunks, and the digest by which Patchwork tells two alike."""
