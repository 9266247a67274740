"""The index: determines which of a hundred thousand queries match a patch."""
