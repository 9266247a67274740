"""The page on all log events, written from the calls in the program and the meanings below: `make reference`."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bot.store.retry_book import RetryKind

PROGRAM = Path(__file__).parents[2] / "bot"
_LEVELS = {"exception": "error"}
_INCIDENT = ("error", ("name", "reason"))

_FAILED_ALONE = "failed without affecting anything else; it is retried"
MEANINGS = {
    "act.finished": "A command changed patches on a Patchwork server; fields count the changed and failed ones.",
    "answer.part_skipped": "A part of a response of the homeserver was too large and was left out.",
    "baseline.taken": "A project is watched from now on; what exists on the server already is not posted.",
    "card.failed": f"A requested card {_FAILED_ALONE}.",
    "card.needs_not_shown": "What needs a submission could not be marked for an edit of its card after a change.",
    "card.queued": "A card was queued for a room; it is sent as soon as the homeserver's rate limit allows.",
    "catch_up.posted": "Submissions that were missed while the bot or a server was down were posted as one list.",
    "change.failed": f"A change of a submission {_FAILED_ALONE}.",
    "change.seen": "A known submission has changed.",
    "command.deferred": "A command could not be answered because something it needs is down; it is answered later.",
    "command.failed": "A command failed because of a fault of the program; its answer says so.",
    "command.timed_out": "A command took too long; its answer says so.",
    "config.query_doubtful": "A query of the configuration is valid but may not mean what it seems to.",
    "cross_signing.created": "The account got a cross-signing identity.",
    "crypto_store.rollback_unguarded": "The restore of an old copy of the crypto store would not be detected.",
    "crypto_store.unreadable": "The keys of the device are lost; the bot logs in as a new device.",
    "database.backed_up": "A copy of the database was made before an upgrade.",
    "device.ended": "The device of the instance that acted before was removed, so that nothing of it can still arrive.",
    "device.impersonated": "A device claimed the key of another; its message is dropped.",
    "device.malformed": "`device.json` is malformed; the bot logs in as a new device.",
    "device.not_removed": "The homeserver refused to remove the old device; remove it by hand.",
    "device.replaced": "The bot logged in as a new device because the keys of the old one are lost.",
    "device.signature_rejected": "The homeserver did not accept the signature of the bot's device.",
    "device.signed": "The bot's device is signed by its account.",
    "device.unreadable": "`device.json` cannot be read; the bot logs in as a new device.",
    "device.unsigned": "The bot's device is not signed, so clients warn of its messages.",
    "digest.failed": f"A digest {_FAILED_ALONE}.",
    "digest.item_not_shown": "An item of a digest cannot be rendered and is listed by its number.",
    "digest.lookup_cut": "A digest was posted before all of its items could be looked up at the server.",
    "digest.lookup_failed": "An item of a digest could not be looked up at its server; the stored state is shown.",
    "digest.not_scheduled": "A digest cannot be scheduled, for example because its time zone is unknown.",
    "digest.posted": "A digest was queued for a room.",
    "queue.item_unreadable": "A stored submission cannot be read, and is left out of queues.",
    "digest.queue_not_found": "The queue of a digest could not be compiled.",
    "digest.stale_not_found": "The search for stale submissions for a digest failed.",
    "digest.stale_unknown": "A digest cannot list stale submissions because its query cannot be searched for.",
    "edit.failed": f"The edit of a card {_FAILED_ALONE}.",
    "encryption.device_left_out": "A device cannot be given the key of a room, so it cannot decrypt messages there.",
    "encryption.message_refused": "A message of another device cannot be decrypted.",
    "encryption.request_refused": "The homeserver refused a request for keys.",
    "encryption.upkeep_failed": "The maintenance of the keys failed because of a fault of the program; it is retried.",
    "events.project_unreadable": "The events of one project cannot be read.",
    "events.read_by_project": "The server refuses the list of all events, so each project is requested separately.",
    "events.reread": "The known events have moved in the list of events, so it is read further back.",
    "fetch.object_gone": "The server said twice that a submission does not exist; it is not requested again.",
    "fetch.object_unreadable": "A series, a patch or a list of comments cannot be read and is requested again.",
    "fetch.row_skipped": "A row of a list cannot be read and is skipped.",
    "file.restricted": "A private file was readable by others, which was corrected.",
    "flood.failed": f"A list of many submissions {_FAILED_ALONE}.",
    "flood.posted": "A list of many submissions was queued for a room.",
    "homeserver.recovered": "The homeserver responds again.",
    "homeserver.unavailable": "The homeserver does not respond, or not as it should.",
    "housekeeping.failed": "The deletion of outdated rows failed; it is retried.",
    "http.listening": "The HTTP server for the status page and monitoring is listening.",
    "installation.id_made": "The random id of the installation was created.",
    "invitation.declined": "An invitation was declined because its sender may not invite the bot.",
    "invitation.failed": "The homeserver refused to let the bot accept an invitation.",
    "invitation.refused": "An invitation was not from the user that it claimed; the bot left the room.",
    "job.failed": "A scheduled job failed and runs again at its next time.",
    "job.recovered": "A scheduled job works again.",
    "keys.upkeep_failed": "The maintenance of the keys failed because of the homeserver; it is retried.",
    "link.failed": f"The link to the former version of a series {_FAILED_ALONE}.",
    "list.item_not_shown": "An item of a list cannot be rendered and is listed by its number.",
    "lease.confirmed": "The lease was renewed after it had been too late: this instance acts again.",
    "lease.connections_kept": "The database does not let this instance end the connections of the former one.",
    "lease.lost": "Another instance has taken over; this one stops at once, and stands by.",
    "lease.not_released": "The lease could not be given up at the end; others take over when it has run out.",
    "lease.released": "This instance gave up the lease; another one may take over at once.",
    "lease.renewal_failed": "The lease could not be renewed; it is tried again every second.",
    "lease.renewed_again": "The lease is renewed again.",
    "lease.taken": (
        "This instance acts from now on. `reason`: nobody ever did (first), this one did before its restart "
        "(restarted), or the lease of the instance on the host `before` has ended (ended)."
    ),
    "lease.unconfirmed": "The lease was not renewed in time: this instance aborts its requests, and makes no others.",
    "lease.yielded": "The homeserver answers an instance that stands by, but not this one, which gave up the lease.",
    "login.succeeded": "The bot is logged in.",
    "lookup.failed": "A look-up for a command failed at the server; the stored copy is shown.",
    "loop.restarted": "A part of the bot failed and was started again.",
    "maintainers.not_read": "A MAINTAINERS file could not be read; the last good copy is used.",
    "maintainers.read": "A MAINTAINERS file was read.",
    "maintainers.rule_skipped": "A line of a MAINTAINERS file cannot be used.",
    "maintainers.unreadable": "A MAINTAINERS file could not be read; the last good copy is used.",
    "mbox.walled": "A login page or a bot challenge stands in front of the server's mboxes.",
    "message.forged": "A message is not what it claims to be and is dropped.",
    "message.not_redacted": "A message with an API token could not be redacted; its sender was asked to do it.",
    "message.undecryptable": "A message cannot be decrypted.",
    "message.unencrypted_ignored": "Unencrypted messages in an encrypted room were ignored.",
    "notice.dead": "A message could not be sent and is not retried; `patchbot outbox list` shows it.",
    "notice.delayed": "A message could not be sent now and is retried.",
    "notice.left_out": "A welcome or a resend request was not sent, because the person has too many unsent answers.",
    "notice.send_failed": "Sending a message failed because of a fault of the program; it is retried.",
    "notice.thread_refused": "The homeserver refused a reply in a thread; it is sent without one.",
    "picture.failed": "A chart could not be drawn or uploaded; after a second failure its figures are posted as text.",
    "poll.failed": "A poll failed because of a fault of the program; the next poll reads the same again.",
    "poll.object_not_saved": "A series or patch cannot be stored; it is read again later.",
    "power_levels.outdated": "The power levels of a room could not be requested; the last known ones are used.",
    "project.available": "A project can be watched again.",
    "project.catch_up_failed": "The events of a project that was missing cannot be read; it is retried.",
    "project.unavailable": "A project cannot be watched.",
    "query.not_checked": "The queries of a room could not be checked against a changed MAINTAINERS file.",
    "nudge.failed": f"A reminder of unanswered patches {_FAILED_ALONE}.",
    "reply.failed": f"A reply below a card {_FAILED_ALONE}.",
    "retry.not_kept": "A retry could not be stored; its item is handled when it changes again.",
    "room.change_delayed": "A room cannot be joined, left or followed to its replacement now; it is retried.",
    "room.joined": "The bot is in a room of the configuration.",
    "room.not_joined": "The bot was not in the room that it was to leave.",
    "room.replacement_ignored": "The bot does not follow a room to its alleged replacement.",
    "room.suspended": "The bot may not send messages in a room; they wait.",
    "room_key.withheld": "A client withholds the key of a message from the bot.",
    "series.mbox_missing": "A series has no mbox; its patches are read one by one.",
    "series.skipped": "A series in a list cannot be read and is skipped.",
    "server.api_version": "The version of the API that the bot uses with a server.",
    "server.rebuilt": "The ids of a server started over; everything that exists there now counts as known.",
    "server.recovered": "A server can be polled again.",
    "server.unavailable": "A server cannot be polled.",
    "server.version_check_failed": "The check for a newer version of a server's API failed.",
    "shutdown.complete": "The bot has stopped.",
    "shutdown.draining": "The bot stops; messages that can be sent now are sent first.",
    "standby.blind": "This instance stands by, but cannot read the lease in the database.",
    "standby.found": "Another instance stands by.",
    "standby.not_prepared": "This instance stands by, but could not log in yet; it is tried again every minute.",
    "standby.prepared": "This instance stands by, logged in as the device that it will take over with.",
    "standby.sees_again": "This instance can read the lease again.",
    "standby.waiting": "This instance stands by for the one on the host `active`.",
    "startup": "The bot starts.",
    "sign_in.dropped": "A sign-in that was interrupted cannot be used; the one before it is.",
    "sign_in.had_ended": "The sign-in had ended at the homeserver before the bot signed out.",
    "sign_in.not_renewed": "The sign-in cannot be renewed; this is retried, also after the token expired.",
    "sign_in.not_revoked": "A sign-in that is of no use any more could not be ended; end it on the account's page.",
    "sign_in.renewed": "The sign-in was renewed after that had failed.",
    "snooze.failed": f"A message on what is no longer snoozed {_FAILED_ALONE}.",
    "snooze.not_ended": "A comment or a new version did not end a snooze, which ends when its time is over.",
    "states.not_shown": "The page that lists a server's states cannot be read; states are shown by their slugs.",
    "store.row_unreadable": "A row of the database cannot be read and is skipped.",
    "submission.failed": f"A new submission {_FAILED_ALONE}.",
    "subscription.unreadable": "A stored query is no longer valid; `!pw subs` in its room shows it.",
    "sweep.failed": "A half-hourly sweep (newest series and patches, archived and open ones) failed.",
    "sync.decryption_failed": "The encrypted part of a sync could not be handled.",
    "sync.event_failed": "An event of a sync could not be handled and is skipped.",
    "sync.gap_skipped": "Messages that a sync left out cannot be fetched.",
    "sync.part_failed": "A part of a sync could not be handled and is skipped.",
    "sync.part_skipped": "A part of a sync was too large and is skipped.",
    "sync.restarted": "The homeserver does not know the sync token; commands sent meanwhile are ignored.",
    "sync.room_failed": "A room's part of a sync could not be handled and is skipped.",
    "sync.room_skipped": "A room is too large to be read; syncs leave it out for a while.",
    "sync.state_skipped": "The state of a room was too large; only the part that is needed is read.",
    "sync.too_large": "A sync is too large, and no single room causes it.",
    "systemd.notify_failed": "systemd could not be notified.",
    "timeline_gap.forbidden": "The bot may not read the messages that a sync left out.",
    "to_device.undecryptable": "A message that a device sent to the bot's device cannot be decrypted.",
    "token.owner_unknown": "The account that an API token belongs to could not be determined.",
    "token.unreadable": "An API token cannot be decrypted, because the key is another one; it must be given again.",
    "unfurl.failed": "Links in a message could not be answered because of a fault of the program; nothing was said.",
    "version.linked": "A series was recognised as a new version of another, and at least one of them has a card.",
}

_HEAD = """\
# Log events

Every event that the bot logs, with its level and its fields. The name of an event is stable: filters and alerts may
rely on it. Values never contain secrets or the texts of messages. [How to read the log](operations.md#the-log)

Events with the fields `name` and `reason` are incidents: `!pw status` and the status page show them until they are
over.

| event | level | fields | meaning |
|---|---|---|---|
"""


@dataclass(frozen=True)
class LogEvent:
    """An event, with the levels that it is logged at and all the fields that it may have."""

    name: str
    levels: tuple[str, ...]
    fields: tuple[str, ...]


@cache
def log_events() -> tuple[LogEvent, ...]:
    """Return all events that the program may log, by name."""
    levels: dict[str, set[str]] = {}
    fields: dict[str, dict[str, None]] = {}
    for name, level, more in [*_logged(), *((kind.incident, *_INCIDENT) for kind in RetryKind)]:
        levels.setdefault(name, set()).add(level)
        fields.setdefault(name, {}).update(dict.fromkeys(more))
    return tuple(LogEvent(name, tuple(sorted(levels[name])), tuple(fields[name])) for name in sorted(levels))


def _logged() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """What each call logs; and the kinds of incidents, which are logged where they are recorded."""
    for path in sorted(PROGRAM.rglob("*.py")):
        in_calls: set[int] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _is_logging(node.func) and isinstance(node.args[0], ast.Constant):
                in_calls.add(id(node.args[0]))
                yield str(node.args[0].value), _level(node.func), _fields(node)
            elif isinstance(node, ast.Constant) and id(node) not in in_calls and node.value in MEANINGS:
                yield str(node.value), *_INCIDENT


def _is_logging(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "_log"


def _level(function: ast.expr) -> str:
    assert isinstance(function, ast.Attribute)  # noqa: S101  # `_is_logging` saw to it
    return _LEVELS.get(function.attr, function.attr)


def _fields(call: ast.Call) -> tuple[str, ...]:
    named = (keyword.arg for keyword in call.keywords if keyword.arg != "exc_info")
    return tuple(name or "kind, id, patch" for name in named)  # only `change.seen` has them in a dict


def page() -> str:
    """Return the page.

    Raises:
        KeyError: an event has no meaning in the table.
    """
    rows = (
        f"| `{event.name}` | {', '.join(event.levels)} | {', '.join(event.fields)} | {MEANINGS[event.name]} |"
        for event in log_events()
    )
    return _HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
