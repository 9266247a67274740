"""Delivers notices to rooms, in order and exactly once."""
