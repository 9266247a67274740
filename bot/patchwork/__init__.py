"""Speaks to Patchwork servers, and reads their answers into the model."""
