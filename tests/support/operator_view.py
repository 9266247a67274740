"""What an operator sees of a bot: the answer to `status`, and what /readyz says."""

from collections.abc import Sequence

from bot.app import Bot
from bot.notices.markup import Allowed, written
from bot.notices.status import outages, remarks, status


async def told(bot: Bot) -> str:
    """What an operator is answered, without the first line."""
    condition = await bot.overview.condition()
    return written(status(condition, for_operator=True), Allowed(()))[0].partition("\n")[2]


async def ready(bot: Bot) -> tuple[Sequence[str], Sequence[str]]:
    """What keeps the bot from its work, as /readyz has it, and what else that says."""
    condition = await bot.overview.condition()
    return outages(condition), remarks(condition)
