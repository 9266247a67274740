"""What tests have in common: builders, rigs of the bot, and servers to run it against."""
