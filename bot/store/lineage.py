"""Selects the versions of a submission in one statement, however many there are."""

from typing import Any

import sqlalchemy as sa

from bot.store import schema
from bot.submission import SubmissionRef


def with_earlier(about: SubmissionRef) -> sa.Select[Any]:
    """Select the ids of a submission and of its earlier versions; a patch without a series has none."""
    series, line = schema.series, _begun(about, "earlier")
    former = sa.select(series.c.former).join(line, series.c.id == line.c.id)
    former = former.where(series.c.server == about.server, series.c.former.is_not(None), line.c.kind == "series")
    return _all(line, former)


def with_later(about: SubmissionRef) -> sa.Select[Any]:
    """Select the ids of a submission and of its later versions; a patch without a series has none."""
    series, line = schema.series, _begun(about, "later")
    later = sa.select(series.c.id).join(line, series.c.former == line.c.id)
    return _all(line, later.where(series.c.server == about.server, line.c.kind == "series"))


def _begun(about: SubmissionRef, name: str) -> sa.CTE:
    columns = (sa.cast(about.id, sa.BigInteger).label("id"), sa.cast(str(about.kind), sa.Text).label("kind"))
    return sa.select(*columns).cte(name, recursive=True)


def _all(line: sa.CTE, following: sa.Select[Any]) -> sa.Select[Any]:
    whole = line.union(following.add_columns(line.c.kind))  # a union, in which a circle ends
    return sa.select(whole.c.id)
