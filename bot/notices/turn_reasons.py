"""The reasons for whose turn a submission is, in words: "CI: build_32bit", "no reply for 12 days". Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import assert_never

from bot.notices.check_summary import COULD_NOT_APPLY, short_names
from bot.notices.fact_lines import PULL_REQUEST, state_name, submitter_name
from bot.patchwork.model import CheckState, TrailerKind
from bot.patchwork.states import NO_STATES, States
from bot.query.check_lanes import NO_LANES, OTHERS, CheckLanes
from bot.subscriptions.turns import CheckTotals, TurnReason, TurnVerdict

_MOST_NAMED = 2  # checks of a lane
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


def reason_words(verdict: TurnVerdict, now: datetime, states: States = NO_STATES, lanes: CheckLanes = NO_LANES) -> str:
    """Return the reason of a verdict at the time *now* (UTC)."""
    told = _reason(verdict, now, states, lanes)
    is_state = verdict.reason is TurnReason.STATE
    state = state_name(verdict.state, states) if verdict.state and not is_state else ""
    return ", ".join(part for part in (PULL_REQUEST if verdict.is_pull else "", state, told) if part)


def time_words(time: timedelta) -> str:
    """Return a time in days, or in hours if it is less than a day: "12 days", "5 hours"; "" if it is less than one."""
    number, unit = (time // _DAY, "day") if time >= _DAY else (time // _HOUR, "hour")
    return f"{number:,} {unit}{'' if number == 1 else 's'}" if number > 0 else ""


def _reason(verdict: TurnVerdict, now: datetime, states: States, lanes: CheckLanes) -> str:
    match verdict.reason:
        case TurnReason.CHECKS_FAIL:
            told = _failing(verdict.checks, lanes)
        case TurnReason.STATE:
            part = f" on {verdict.count} of {verdict.total}" if verdict.count < verdict.total else ""
            told = state_name(verdict.state or "", states) + part
        case TurnReason.REPLIED:
            told = _replied(verdict, now)
        case TurnReason.REVIEWED:
            told = _joined([_reviews(verdict), _passing(verdict.checks, lanes)])
        case TurnReason.ANSWERED:
            partly = _reviews(verdict) if verdict.count else ""
            told = _joined([f"author answered {_ago(verdict.since, now)}", partly])
        case TurnReason.PARTLY_REVIEWED:
            told = _reviews(verdict)
        case TurnReason.NOT_REVIEWED:
            told = "tested, not reviewed" if TrailerKind.TESTED in verdict.kinds else "not reviewed"
        case TurnReason.NO_REPLY:
            told = f"no reply for {time}" if (time := _since(verdict.since, now)) else "no reply yet"
        case TurnReason.NO_REVIEW_SEEN:
            told = f"no review seen in {time}" if (time := _since(verdict.since, now)) else "no review seen yet"
        case _:
            assert_never(verdict.reason)
    return told


def _failing(checks: CheckTotals, lanes: CheckLanes) -> str:
    """Return the failing checks by lane: "CI: build_32bit and 2 more; AI: sashiko"."""
    named = short_names(checks.contexts)
    by_lane: dict[str, list[str]] = {}
    for context in checks.failing:
        by_lane.setdefault(lanes.of(context), []).append(named[context])
    return "; ".join(f"{lane}: {_listed(names)}" for lane, names in by_lane.items()) or "checks fail"


def _passing(checks: CheckTotals, lanes: CheckLanes) -> str:
    """Return how the checks of a submission stand of which none fails: "CI ok"; "" without any."""
    among = list(dict.fromkeys(map(lanes.of, checks.contexts)))
    name = among[0] if len(among) == 1 else "checks" if among else OTHERS
    match checks.worst:
        case CheckState.WARNING if checks.warning:
            named = short_names(checks.contexts)
            return f"{name} warns: {_listed([named[context] for context in checks.warning])}"
        case CheckState.WARNING | CheckState.FAIL:
            return f"{name} warns"
        case CheckState.PENDING:
            return f"{name} pending"
        case None:
            return COULD_NOT_APPLY if checks.unapplied else ""
        case CheckState.SUCCESS:
            return COULD_NOT_APPLY if checks.unapplied else f"{name} ok"
        case _:
            assert_never(checks.worst)


def _reviews(verdict: TurnVerdict) -> str:
    """Return how many patches are reviewed: "all 4 reviewed", "2 of 5 acked"; "reviewed" of a single patch."""
    named = {TrailerKind.REVIEWED: "reviewed", TrailerKind.ACKED: "acked"}
    done = " or ".join(word for kind, word in named.items() if kind in verdict.kinds) or "reviewed"
    if verdict.has_closed:
        done = f"open patch{'' if verdict.total == 1 else 'es'} {done}"
    if verdict.count < verdict.total:
        return f"{verdict.count} of {verdict.total} {done}"
    return done if verdict.total == 1 else f"all {verdict.total} {done}"


def _replied(verdict: TurnVerdict, now: datetime) -> str:
    first, *others = [submitter_name(person) for person in verdict.people]
    if not others:
        return f"{first} replied {_ago(verdict.since, now)}"
    and_others = others[0] if len(others) == 1 else f"{len(others)} more"
    return f"{first} and {and_others} replied, the last {_ago(verdict.since, now)}"


def _since(since: datetime | None, now: datetime) -> str:
    return time_words(now - since) if since is not None else ""


def _ago(since: datetime | None, now: datetime) -> str:
    time = _since(since, now)
    return f"{time} ago" if time else "just now"


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(part for part in parts if part)
