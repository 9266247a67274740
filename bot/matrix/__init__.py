"""The Matrix session: what the homeserver tells, and how it is spoken to."""
