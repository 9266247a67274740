"""How the bot says how it is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from inline_snapshot import snapshot

from bot.ids import ProjectName, ServerName
from bot.notices.markup import Allowed, written
from bot.notices.status import BotStatus, PollHealth, QueueStatus, WatchedServer, outages, remarks, status

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
QEMU = (ProjectName("qemu-devel"), NOW - timedelta(days=3))
WELL = WatchedServer(ServerName("ozlabs"), "https://patchwork.example.org", PollHealth(last_success=NOW), (QEMU,))
DOWN = replace(WELL, name=ServerName("kernel"), health=PollHealth(None, NOW - timedelta(hours=2), "HTTP 502"))
BOT = BotStatus("1.2.3", NOW, NOW - timedelta(days=1), (WELL,), override="POST /lift/the/limit")


def shown(condition: BotStatus, *, for_operator: bool = True) -> str:
    return written(status(condition, for_operator=for_operator), Allowed(()))[0]


def test_a_bot_that_is_well() -> None:
    assert shown(BOT) == snapshot(
        """\
🟢 All well · patchbot 1.2.3, up 1 day
• 🟢 ozlabs — qemu-devel, looked 0 s ago\
"""
    )
    assert outages(BOT) == ()


def test_everything_that_can_be_wrong() -> None:
    unknown = replace(WELL, problems=("https://patchwork.example.org has no project qemu-devle.",))
    condition = replace(
        BOT,
        servers=(unknown, DOWN),
        queue=QueueStatus(waiting=3, oldest=NOW - timedelta(minutes=5), suspended=2, dead=1),
        remarks=("#qemu:example.org: needs an invitation (HTTP 403).",),
    )

    assert shown(condition) == snapshot(
        """\
🔴 Something is wrong · patchbot 1.2.3, up 1 day
• 🟢 ozlabs — qemu-devel, looked 0 s ago
• 🔴 kernel — qemu-devel: no answer for 2 h (HTTP 502); nothing is lost
https://patchwork.example.org has no project qemu-devle.
3 messages to be sent, the oldest since 2026-11-25 11:55 UTC.
The homeserver limits how many messages an account may send. Its administrator can lift the limit for the bot with POST /lift/the/limit; then raise messages_per_second in the bot's configuration.
2 messages suspended: the bot may not post in their rooms.
1 message dead: “patchbot outbox list” on the bot's machine says why.
#qemu:example.org: needs an invitation (HTTP 403).\
"""  # noqa: E501  # as it is said
    )
    assert outages(condition) == ("Polling kernel has failed since 2026-11-25 10:00 UTC (HTTP 502).",)


def test_messages_that_wait_ten_minutes_although_they_may_be_sent_keep_the_bot_from_being_ready() -> None:
    waiting = QueueStatus(waiting=3, oldest=NOW - timedelta(hours=1), stuck_since=NOW - timedelta(minutes=10))
    failing = replace(waiting, waiting=1, stuck_reason="HTTP 502")

    assert outages(replace(BOT, queue=waiting)) == (
        "No message has been sent since 2026-11-25 11:50 UTC, although 3 wait and the rate limit allows it.",
    )
    assert outages(replace(BOT, queue=failing)) == (
        "No message has been sent since 2026-11-25 11:50 UTC, although 1 waits and the rate limit allows it (HTTP 502).",  # noqa: E501  # as it is said
    )
    assert "No message has been sent since" in shown(replace(BOT, queue=waiting))
    assert outages(replace(BOT, queue=replace(waiting, stuck_since=NOW - timedelta(minutes=9, seconds=59)))) == ()
    assert outages(replace(BOT, queue=waiting, outages=("The homeserver is away.",))) == ("The homeserver is away.",)


def test_a_server_without_comment_events_is_named_with_the_age_of_the_oldest_look() -> None:
    old = replace(WELL, api="1.2", oldest_look=NOW - timedelta(hours=5, minutes=20))
    condition = replace(BOT, servers=(old, replace(old, name=ServerName("dpdk"), oldest_look=None)))

    assert shown(condition, for_operator=False).splitlines()[3:] == snapshot(
        [
            "ozlabs (API 1.2) does not announce comments, so the bot looks for them; the oldest check was 5 h 20 min ago (2026-11-25 06:40 UTC).",  # noqa: E501  # as it is said
            "dpdk (API 1.2) does not announce comments, so the bot looks for them; none is due.",
        ]
    )
    assert remarks(condition) == tuple(shown(condition).splitlines()[3:])
    assert outages(condition) == ()
    assert shown(replace(BOT, servers=(replace(old, api="1.3"), replace(old, api="")))).count("comments") == 0


def test_who_is_no_operator_hears_nothing_of_other_rooms() -> None:
    condition = replace(BOT, remarks=("#secret:example.org: needs an invitation (HTTP 403).",))

    assert "secret" not in shown(condition, for_operator=False)
    assert "1 problem with the configuration" in shown(condition, for_operator=False)


def test_a_queue_that_waits_for_a_homeserver_that_is_away_blames_no_limit() -> None:
    queue = QueueStatus(waiting=3, oldest=NOW - timedelta(minutes=5))
    condition = replace(BOT, queue=queue, outages=("The homeserver has not answered.",))

    assert "limits" not in shown(condition)
    assert outages(condition) == ("The homeserver has not answered.",)


def test_the_html_is_escaped_and_names_the_command_as_code() -> None:
    condition = replace(BOT, servers=(replace(DOWN, health=replace(DOWN.health, reason="<b>@room</b>")),))

    html = written(status(condition, for_operator=True), Allowed(()))[1]

    assert html == snapshot(
        "<p>🔴 <strong>Something is wrong</strong> · patchbot 1.2.3, up 1 day</p><ul><li>🔴 <strong>kernel</strong> — qemu-devel: no answer for 2 h (&lt;b&gt;@\u2060room&lt;/b&gt;); nothing is lost</li></ul>"  # noqa: E501  # the same
    )
