"""Supports operation: the schedule, the log, systemd, and the summary of a configuration."""
