"""Mail addresses, as they are compared."""


def domain_of(email: str) -> str:
    """The "@domain" of an address in folded case; "" where it has none."""
    _, at, domain = email.casefold().rpartition("@")
    return at + domain if at else ""
