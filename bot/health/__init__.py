"""Reports the health of the bot, to programs and to people."""
