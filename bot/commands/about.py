"""`status` and `version`: what the bot says of itself."""

from collections.abc import Awaitable, Callable, Collection

from bot import __version__
from bot.commands.answers.patch import said
from bot.commands.request import Answer, CommandRequest
from bot.ids import UserId
from bot.notices.status import BotStatus, status


class AboutCommands:
    """Answers for the bot; *admins* are told of other rooms, too."""

    def __init__(self, condition: Callable[[], Awaitable[BotStatus]], admins: Collection[UserId]) -> None:
        self._condition = condition
        self._admins = admins

    async def status(self, request: CommandRequest) -> Answer:
        """How it is."""
        return Answer(status(await self._condition(), for_operator=request.message.sender in self._admins))

    async def version(self, _: CommandRequest) -> Answer:
        """What it is."""
        return Answer(said(f"patchwork-matrix-bot {__version__}"))
