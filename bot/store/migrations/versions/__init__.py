"""Modules with one version of the schema each."""
