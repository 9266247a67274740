"""Draws pictures, each in a process of its own."""
