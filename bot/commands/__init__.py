"""The commands that people type in chat, and the answers to them."""
