"""Brings notices into rooms, in order and once."""
