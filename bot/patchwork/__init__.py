"""What a Patchwork server says: asking it, reading its answers, knowing what is new."""
