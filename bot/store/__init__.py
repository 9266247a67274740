"""The database: known submissions, the outbox and the inbox, rooms and subscriptions."""
