"""What a homeserver refuses, as errors of the bot's tree."""

from bot.errors import BotError, Permanent


class Forbidden(Permanent):
    """The room does not let us, or is gone; an invitation or a power level may change that."""


class LoggedOut(BotError):
    """The homeserver does not know our access token; *soft* where the same device may log in again."""

    def __init__(self, reason: str, *, soft: bool = False) -> None:
        super().__init__(reason)
        self.soft = soft
