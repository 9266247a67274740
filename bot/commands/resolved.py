"""What somebody refers to, once it is found."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from bot.commands.answer import About
from bot.commands.servers import Place
from bot.notices.card import Site
from bot.notices.fact_lines import moment
from bot.patchwork.model import PatchPage, Series


@dataclass(frozen=True, slots=True)
class OwnCopy:
    """Why the store's own copy is shown, and of when it is (UTC)."""

    outage: str
    as_of: datetime

    def __str__(self) -> str:
        return f"{self.outage}; this is the bot's own copy, as of {moment(self.as_of)}."


@dataclass(frozen=True, slots=True)
class FoundPatch:
    """A patch; a *copy* has no diff."""

    place: Place
    page: PatchPage
    copy: OwnCopy | None = None

    @property
    def site(self) -> Site:
        """How links to it are written."""
        return self.place.site(self.page.patch.project)

    @property
    def about(self) -> About:
        """What an answer about it is about."""
        patch, series = self.page.patch, self.page.series
        version = series.version if series else None
        return About(self.place.name, patch.project, patch.series, patch.id, version)


@dataclass(frozen=True, slots=True)
class FoundSeries:
    """A series."""

    place: Place
    series: Series
    copy: OwnCopy | None = None

    @property
    def site(self) -> Site:
        """How links to it are written."""
        return self.place.site(self.series.project)

    @property
    def about(self) -> About:
        """What an answer about it is about."""
        return About(self.place.name, self.series.project, self.series.id, version=self.series.version)


Found: TypeAlias = FoundPatch | FoundSeries
