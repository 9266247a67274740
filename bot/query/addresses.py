"""Mail addresses, as they are compared."""

from bot.query.folding import folded


def domain_of(email: str) -> str:
    """The "@domain" of an address folded; "" where it has none."""
    _, at, domain = folded(email).rpartition("@")
    return at + domain if at else ""
