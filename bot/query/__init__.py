"""The query language: parsing, evaluation, explanation. Pure."""
