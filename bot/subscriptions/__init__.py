"""Subscriptions: which of them match a patch, and why."""
