"""Runs the whole bot on one machine, between a sample Patchwork server and a room in the terminal."""
