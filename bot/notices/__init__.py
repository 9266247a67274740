"""Messages that the bot posts by itself, composed as one document tree and written as plain text and HTML."""
