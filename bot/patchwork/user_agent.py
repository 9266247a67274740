"""Who asks a Patchwork server, as its administrator reads it in a log; kernel.org's wall wants a name and a contact."""

from bot import __version__

NAME = f"patchwork-matrix-bot/{__version__}"


def user_agent(contact: str, product: str = "", installation: str = "") -> str:
    """Return the User-Agent: a name, and in brackets whom to write to and which installation asks.

    *product* is the name where it is not "", and the bot's own with its version otherwise.
    """
    known_by = [_printable(contact) or "no contact configured"]
    if installation:
        known_by.append(f"installation {installation}")
    return f"{product or NAME} ({'; '.join(known_by)})"


def _printable(contact: str) -> str:
    """What of it may stand in a header's comment."""
    return "".join(char for char in contact if " " < char < "\x7f" and char not in "()")
