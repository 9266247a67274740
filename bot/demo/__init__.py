"""The whole pipeline on one machine: a sample Patchwork server and a room in the terminal."""
