"""The Matrix session: syncs and requests to the homeserver, rooms and encryption."""
