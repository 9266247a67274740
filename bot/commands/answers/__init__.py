"""Composes the answers to commands as documents. Pure."""
