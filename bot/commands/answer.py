"""What a command is answered."""

from dataclasses import dataclass

from bot.ids import PatchId, ProjectName, SeriesId, ServerName
from bot.notices.card import Site
from bot.notices.markup import Document


@dataclass(frozen=True, slots=True)
class About:
    """What an answer is about."""

    server: ServerName
    project: ProjectName
    series: SeriesId | None = None
    patch: PatchId | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered, where its links may lead, what it is about; whether it refuses what was asked."""

    document: Document
    site: Site | None = None
    about: About | None = None
    is_refusal: bool = False
