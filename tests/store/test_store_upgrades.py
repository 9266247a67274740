"""Databases of every earlier version, with something in each table, brought to the newest one."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from bot.ids import DeviceId, EventId, NoticeKey, UserId
from bot.store import columns, migrate
from bot.store.engine import connect
from bot.store.store import Store
from bot.submission import SubmissionKind, SubmissionRef
from support.store_rig import (
    OTHER_ROOM,
    PROJECT,
    ROOM,
    SERVER,
    FileRig,
    StoreRig,
    ask,
    made_at,
    only_sqlite,
    with_another_version,
)

pytestmark = pytest.mark.slow

NOW = datetime(2026, 1, 1)  # noqa: DTZ001  # as it is kept: naive UTC
BOT = UserId("@bot:hs")
_Answer = TypeVar("_Answer")

OF_A_PATCH = {
    "server": SERVER,
    "project": PROJECT,
    "submitter_name": "Jane Doe",
    "submitter_email": "Jane@Example.org",
    "date": "2026-01-01T00:00:00",
    "archive_url": "https://lore.example.org/7",
}
OF_A_CARD = {"room": ROOM, "server": SERVER, "kind": "series", "object": 7}
WHY = [[1, "path:migration/", "migration/ram.c"]]

# A row of each table, with all the columns that it has now; an earlier version has those of them that it knew.
ROWS: dict[str, dict[str, Any]] = {
    "server": {"name": SERVER, "cursor": "2026-01-01T00:00:00", "highest_event": 70, "rebuilds": 2, "polled_at": NOW},
    "project": {
        "server": SERVER,
        "name": PROJECT,
        "baseline_event": 1,
        "baseline_date": "2025-12-31T00:00:00",
        "baseline_patch": 2,
        "baseline_series": 3,
        "known_since": NOW,
        "unread_from": "2026-01-01T00:00:00",
    },
    "lease": {
        "id": 1,
        "holder": "0123456789abcdef",
        "host": "ada",
        "epoch": 3,
        "taken_at": NOW,
        "ends_at": NOW,
        "keys": {"tags": "0123"},
        "is_cut_off": False,
    },
    "standby": {
        "instance": "fedcba9876543210",
        "host": "bob",
        "since": NOW,
        "seen_at": NOW,
        "reaches_homeserver": None,
    },
    "seen_event": {"server": SERVER, "id": 70, "seen_at": NOW},
    "pending": {
        "server": SERVER,
        "kind": "series",
        "id": 8,
        "project": PROJECT,
        "name": "Series 8",
        "first_seen": NOW,
        "due": NOW,
        "deadline": NOW,
        "attempts": 1,
        "unreadable_since": NOW,
        "missing_since": NOW,
    },
    "series": {
        **OF_A_PATCH,
        "id": 7,
        "name": "Series 7",
        "version": 2,
        "total": 1,
        "received_total": 1,
        "received_all": True,
        "cover": "cover-7@hs",
        "patches": [[70, "70@hs", "Patch 70"]],
        "evaluated_at": NOW,
        "former": 6,
        "submitter": "jane@example.org",
        "cover_id": 5,
        "cover_name": "[v2,0/1] Series 7",
        "trailers": [["Reviewed-by", "joe@example.org"]],
    },
    "patch": {
        **OF_A_PATCH,
        "id": 70,
        "series": 7,
        "msgid": "70@hs",
        "name": "Patch 70",
        "state": "new",
        "former_state": "rfc",
        "state_changed_at": NOW,
        "delegate": "joe",
        "check": "success",
        "archived": False,
        "hash": "abc",
        "pull_url": None,
        "files": [["migration/ram.c", None, 1, 2]],
        "to": ["qemu-devel@example.org"],
        "cc": [],
        "trailers": [],
        "read_at": NOW,
        "commit_ref": None,
        "changed_at": NOW,
        "fingerprint": b"a digest",
    },
    "state": {"server": SERVER, "slug": "rfc", "name": "RFC"},
    "sweep": {
        "server": SERVER,
        "at": NOW,
        "named_at": NOW,
        "archived": 76,
        "below": 70,
        "patches": [70, 60, [PROJECT], {PROJECT: 69}],
        "series": [7, None, [PROJECT], {PROJECT: 6}],
    },
    "maintainers": {"server": SERVER, "project": PROJECT, "place": "/srv/MAINTAINERS", "text": "T", "read_at": NOW},
    "early_update": {"server": SERVER, "patch": 71, "field": "state", "value": "accepted", "received_at": NOW},
    "patch_check": {
        "server": SERVER,
        "patch": 70,
        "user": "ci",
        "context": "build",
        "id": 9,
        "state": "success",
        "description": "Build and boot",
        "received_at": NOW,
    },
    "comment": {"server": SERVER, "kind": "patch", "id": 3, "object": 70, "posted": True, "seen_at": NOW},
    "mail_comment": {
        "server": SERVER,
        "kind": "patch",
        "id": 3,
        "object": 70,
        "name": "Ann",
        "email": "ann@example.org",
        "sent_at": NOW,
        "trailers": ["R"],
        "read_at": NOW,
    },
    "mail_read": {"server": SERVER, "kind": "patch", "object": 70, "read_at": NOW},
    "queue_room": {"room": ROOM, "used_at": NOW},
    "listed_row": {"room": ROOM, "number": 1, "server": SERVER, "kind": "series", "object": 7},
    "card": {
        **OF_A_CARD,
        "notice_key": "card/7",
        "event": "$card",
        "why": WHY,
        "created_at": NOW,
        "form": "compact",
        "digest": "a digest",
        "edits": 1,
        "edited_at": NOW,
        "urgent_since": NOW,
        "counts_since": NOW,
        "counts_last": NOW,
        "touched_at": NOW,
        "due_at": NOW,
        "rings": True,
        "ended": None,
    },
    "queued_change": {
        "id": 4,
        "card": "card/7",
        "seen_at": NOW,
        "kind": "state",
        "patch": 70,
        "before": "new",
        "after": "accepted",
        "context": "",
        "actor": "maintainer",
        "comment": None,
    },
    "session": {"user": BOT, "since": "s1"},
    "room": {
        "room": OTHER_ROOM,
        "direct": True,
        "suspended": True,
        "name": "#other:hs",
        "resumed": 3,
        "left": True,
        "alone": True,
        "skipped_until": NOW,
    },
    "invitation": {"room": "!new:hs", "inviter": "@ann:hs", "direct": True},
    "encrypted_room": {"room": ROOM, "algorithm": "m.megolm.v1.aes-sha2"},
    "inbox": {
        "id": 1,
        "room": ROOM,
        "event": "$said",
        "sender": "@ann:hs",
        "body": "!pw subs",
        "sent_at": NOW,
        "answered": False,
        "thread": "$root",
        "replies_to": "$card",
        "sealed": "c2VhbGVk",
        "encrypted": True,
        "reaction": "👀",
    },
    "direct_chat": {"person": "@ann:hs", "room": OTHER_ROOM},
    "follow": {"id": 5, "person": "@ann:hs", "server": SERVER, "kind": "series", "object": 7, "since": NOW},
    "follow_reaction": {"room": ROOM, "event": "$eyes", "follow": 5},
    "nudge": {"room": OTHER_ROOM, "person": "@ann:hs", "next_at": NOW},
    "nudged": {"person": "@ann:hs", "server": SERVER, "kind": "series", "object": 7},
    "unfurl": {"room": ROOM, "server": SERVER, "kind": "series", "object": 7, "at": NOW},
    "dependency": {
        "server": SERVER,
        "kind": "series",
        "object": 7,
        "needs": "mail/6-0@hs",
        "host": "",
        "place": 0,
        "read_at": NOW,
    },
    "snooze": {
        "id": 6,
        "room": ROOM,
        "server": SERVER,
        "kind": "series",
        "object": 7,
        "person": "@ann:hs",
        "since": NOW,
        "until": NOW,
        "version": 8,
        "reason": "v8 came",
    },
    "token": {
        "person": "@ann:hs",
        "server": SERVER,
        "sealed": "c2VhbGVk",
        "account": "ann",
        "account_id": 3,
        "room": ROOM,
        "given_at": NOW,
        "absent_since": None,
    },
    "act": {
        "id": 6,
        "room": ROOM,
        "event": "$said",
        "server": SERVER,
        "person": "@ann:hs",
        "field": "state",
        "value": "accepted",
        "value_id": None,
        "began_at": NOW,
    },
    "act_patch": {
        "act": 6,
        "patch": 7,
        "position": 0,
        "project": "qemu-devel",
        "series": 9,
        "name": "[1/2] A patch",
        "old": "new",
        "step": "done",
        "reason": "",
    },
    "subscription": {
        "id": 5,
        "room": ROOM,
        "person": None,
        "query": "path:migration/",
        "added_by": "@ann:hs",
        "added_at": NOW,
        "muted_until": None,
    },
    "person_address": {"person": "@ann:hs", "address": "ann@example.org"},
    "room_setting": {"room": ROOM, "key": "mode", "value": "compact"},
    "room_mute": {"room": OTHER_ROOM, "until": NOW},
    "digest": {"room": ROOM, "digest": "Mon-Fri 09:00", "since": NOW, "next_due_at": NOW},
    "digest_entry": {**OF_A_CARD, "id": 6, "digest": "Mon-Fri 09:00", "why": WHY, "added_at": NOW, "posted_at": None},
    "flood_limit": {"name": ROOM, "series": 10},
    "flood": {
        "key": "flood/1",
        "room": ROOM,
        "server": SERVER,
        "cause": "many",
        "opened": NOW,
        "last": NOW,
        "before": 1,
        "is_posted": False,
    },
    "flood_entry": {**OF_A_CARD, "object": 9, "id": 2, "key": "flood/1", "content": {"why": WHY}, "added_at": NOW},
    "retry": {
        "id": 3,
        "kind": "link",
        "key": "series 7 of ozlabs",
        "server": SERVER,
        "room": ROOM,
        "work": {"kind": "series", "object": 7, "rebuilds": 0},
        "failures": 1,
        "next_at": NOW,
    },
    "recheck": {
        "server": SERVER,
        "kind": "series",
        "object": 9,
        "changed_at": NOW,
        "comments_since": NOW,
        "read_at": None,
        "next_at": NOW,
        "seen": True,
    },
    "recheck_request": {"id": 4, "server": SERVER, "made_at": NOW, "requests": 2},
    "catch_up": {"server": SERVER, "since": NOW, "until": NOW, "whose": "ours", "came": 1, "old": 0, "ended": None},
}
OF_A_NOTICE = {"room": ROOM, "lane": 1, "attempts": 0, "created_at": NOW, "next_at": NOW, "of": None}
NOTICES = [
    {
        **OF_A_NOTICE,
        "id": number,
        "key": key,
        "txn": key,
        "state": state,
        "event": event,
        # As 0001 wrote it; later ones add keys that may be absent.
        "message": {"body": key, "html": f"<p>{key}</p>", "tag": {"kind": "card", "key": key}, "rings": False},
    }
    for number, key, state, event in ((1, "card/7", "done", "$card"), (2, "card/8", "waiting", None))
]
EVERYTHING = {**{table: [row] for table, row in ROWS.items()}, "notice": NOTICES}
SCRIPTS = ScriptDirectory(str(migrate.SCRIPTS))
EARLIER = sorted(script.revision for script in SCRIPTS.walk_revisions())
Filled = dict[str, list[dict[str, Any]]]


async def asked(rig: StoreRig, question: Callable[[sa.Connection], _Answer]) -> _Answer:
    """What a question says of the database, past the store."""
    engine = connect(rig.url)
    async with engine.begin() as connection:
        answer = await connection.run_sync(question)
    await engine.dispose()
    return answer


def tables(connection: sa.Connection) -> dict[str, sa.Table]:
    found = sa.MetaData()
    found.reflect(connection)
    return {name: table for name, table in found.tables.items() if name != "alembic_version"}


def fill(connection: sa.Connection) -> Filled:
    """Put something into each table of the version that the database is at; what was put there."""
    there = tables(connection)
    rows = {
        name: [{key: row[key] for key in row if key in table.c} for row in EVERYTHING[name]]
        for name, table in there.items()
    }
    for name, some in rows.items():
        assert {column.name for column in there[name].c} - set(some[0]) <= MAY_BE_EMPTY
        connection.execute(sa.insert(there[name]), some)
    return rows


MAY_BE_EMPTY = {"asked_by", "first_tried", "first_device", "reason", "settled_at"}  # of a notice


def held(connection: sa.Connection, before: Filled) -> Filled:
    """What the tables have by now in the columns that they had *before*."""
    there = tables(connection)
    return {
        name: [
            dict(row)
            for row in connection.execute(
                sa.select(*(there[name].c[key] for key in rows[0])).order_by(*there[name].primary_key)
            ).mappings()
        ]
        for name, rows in before.items()
        if name in there
    }


def differences(connection: sa.Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, columns.metadata))


@pytest.mark.parametrize("version", EARLIER)
async def test_a_database_of_an_earlier_version_keeps_all_that_is_in_it_and_is_understood(
    rig: StoreRig, version: str
) -> None:
    await made_at(version, rig)
    before = await asked(rig, fill)

    store = await rig.open()
    after = await asked(rig, lambda connection: held(connection, before))
    watched = await ask(store, lambda tx: tx.watch.watched(SERVER))
    patch = await ask(store, lambda tx: tx.watch.patch(SERVER, 70))
    async with store.transaction() as tx:
        kept = await tx.session.load(BOT)
        card = await tx.cards.about_event(ROOM, EventId("$card"))
        everything = await tx.subscriptions.load_all()
        (claimed,) = (await tx.outbox.claim(10, DeviceId("ONE"))).notices
    await store.close()

    assert after == before
    assert await asked(rig, differences) == []
    assert (watched.cursor, watched.highest, len(watched.pending)) == ("2026-01-01T00:00:00", 70, 1)
    assert patch is not None
    assert (patch.name, patch.paths) == ("Patch 70", ("migration/ram.c",))
    assert (kept.since, kept.direct, kept.named) == ("s1", frozenset([OTHER_ROOM]), {"#other:hs": OTHER_ROOM})
    assert card == SubmissionRef(SERVER, SubmissionKind.SERIES, 7)
    assert claimed.message.tag.key == NoticeKey("card/8")
    assert [each.query for each, _ in everything.subscriptions] == ["path:migration/"]


@only_sqlite
async def test_the_copy_that_an_upgrade_leaves_is_the_database_as_it_was(
    rig: FileRig, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = migrate.newest()
    await made_at(newest, rig)
    before = await asked(rig, fill)
    with_another_version(program, monkeypatch)
    await (await rig.open()).close()
    monkeypatch.undo()

    (copy,) = [path for path in rig.file.parent.iterdir() if path.name.startswith(f"bot.db.{newest}.")]
    copied = StoreRig(f"sqlite:///{copy}")
    store = await Store.open(copied.url, rig.clock)
    await store.close()

    assert await asked(copied, lambda connection: held(connection, before)) == before


@only_sqlite
async def test_a_backup_serves_as_the_database(rig: FileRig, store: Store, tmp_path: Path) -> None:
    before = await asked(rig, fill)

    copy = migrate.backup(rig.file, tmp_path / "copy.db")

    restored = StoreRig(f"sqlite:///{copy}")
    engine = connect(restored.url)
    await migrate.check(engine)
    await engine.dispose()
    assert await asked(restored, lambda connection: held(connection, before)) == before
    await store.close()
