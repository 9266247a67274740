"""Says how the bot is, to programs and to people."""
