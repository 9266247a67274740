"""Finds which of a hundred thousand queries a patch matches."""
