"""Answers `status` and `version`, the commands about the bot itself."""

from collections.abc import Awaitable, Callable, Collection

from bot import __version__
from bot.commands.answers.patch import said
from bot.commands.request import Answer, CommandRequest
from bot.ids import UserId
from bot.notices.status import BotStatus, status


class AboutCommands:
    """The commands about the bot itself; *admins* also see the status details that are meant for operators."""

    def __init__(self, condition: Callable[[], Awaitable[BotStatus]], admins: Collection[UserId]) -> None:
        self._condition = condition
        self._admins = admins

    async def status(self, request: CommandRequest) -> Answer:
        """Answer `status` with the health of the bot."""
        return Answer(status(await self._condition(), for_operator=request.message.sender in self._admins))

    async def version(self, _: CommandRequest) -> Answer:
        """Answer `version` with the name and version of the program."""
        return Answer(said(f"patchwork-matrix-bot {__version__}"))
