"""The database: what is known, what is to be said, and what was said."""
