"""Who is told while subscriptions and rooms come, go, are muted and moved."""

from datetime import UTC, datetime, timedelta

from bot.ids import ProjectName, RoomId, ServerName, SubscriptionId, UserId
from bot.patchwork.model import Person
from bot.query.facts import Facts
from bot.query.index.index import Subscription
from bot.query.parser import parse
from bot.subscriptions.registry import SubscriptionRegistry
from bot.subscriptions.subscription import FOR_GOOD, ChatSubscription, QueryContext, listening, meant

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=2)
ROOM, OTHER = RoomId("!room:hs"), RoomId("!other:hs")


def told(listeners: SubscriptionRegistry, project: str = "qemu-devel") -> list[tuple[int, RoomId]]:
    """Whom a patch of Ann's to a.c is for."""
    facts = Facts(
        server=ServerName("ozlabs"),
        project=ProjectName(project),
        submitter=Person("Ann", "ann@example.org"),
        subjects=("A patch",),
        prefixes=(),
        paths=("a.c",),
    )
    return [(match.subscription.id, match.subscription.room) for match in listeners.index.match(facts)]


def hearing(*numbers: int, room: RoomId = ROOM, until: datetime | None = None) -> SubscriptionRegistry:
    listeners = SubscriptionRegistry()
    for number in numbers:
        listeners.add(Subscription(SubscriptionId(number), room, parse("path:a.c"), until))
    return listeners


def test_a_muted_subscription_is_told_again_when_its_time_is_over() -> None:
    listeners = hearing(1, until=LATER)

    listeners.awaken(LATER - timedelta(seconds=1))
    muted = told(listeners)
    listeners.awaken(LATER)

    assert muted == []
    assert told(listeners) == [(1, ROOM)]


def test_a_subscription_muted_for_good_stays_so() -> None:
    listeners = hearing(1, until=FOR_GOOD)

    listeners.awaken(NOW + timedelta(days=10_000))

    assert told(listeners) == []


def test_a_muted_room_mutes_all_that_is_told_there_and_nothing_else() -> None:
    listeners = hearing(1, 2)
    listeners.add(Subscription(SubscriptionId(3), OTHER, parse("path:a.c")))

    listeners.mute_room(ROOM, LATER)
    listeners.add(Subscription(SubscriptionId(4), ROOM, parse("path:a.c")))
    muted = told(listeners)
    listeners.mute_room(ROOM, None)

    assert muted == [(3, OTHER)]
    assert told(listeners) == [(1, ROOM), (2, ROOM), (3, OTHER), (4, ROOM)]


def test_the_longer_mute_of_a_room_and_its_subscription_counts() -> None:
    listeners = hearing(1, until=LATER)

    listeners.mute_room(ROOM, NOW)
    listeners.awaken(NOW)

    assert told(listeners) == []


def test_in_a_room_that_we_left_nothing_is_told_until_we_are_back() -> None:
    listeners = hearing(1)

    listeners.leave(ROOM)
    listeners.add(Subscription(SubscriptionId(2), ROOM, parse("path:a.c")))
    away = told(listeners)
    listeners.come_back(ROOM)

    assert away == []
    assert told(listeners) == [(1, ROOM), (2, ROOM)]


def test_a_moved_room_takes_its_subscriptions_its_mute_and_its_quiet_along() -> None:
    listeners = hearing(1, 2)
    listeners.quiet.add(ROOM)
    listeners.mute_room(ROOM, LATER)

    listeners.move(ROOM, OTHER)
    muted = told(listeners)
    listeners.awaken(LATER)

    assert muted == []
    assert told(listeners) == [(1, OTHER), (2, OTHER)]
    assert OTHER in listeners.quiet


def test_what_was_left_is_told_in_the_room_that_takes_its_place() -> None:
    listeners = hearing(1)
    listeners.leave(ROOM)

    listeners.move(ROOM, OTHER)

    assert told(listeners) == [(1, OTHER)]


def test_a_forgotten_subscription_is_told_no_more_whatever_becomes_of_its_room() -> None:
    listeners = hearing(1, until=LATER)

    listeners.forget(SubscriptionId(1))
    listeners.awaken(LATER)
    listeners.come_back(ROOM)
    listeners.move(ROOM, OTHER)

    assert told(listeners) == []


def test_a_query_that_names_no_project_is_about_the_rooms() -> None:
    standing = QueryContext("qemu-devel")

    assert str(meant(parse("path:a/ OR path:b/"), standing)) == "project:qemu-devel (path:a/ OR path:b/)"
    assert str(meant(parse("path:a/ on:state"), standing)) == "project:qemu-devel path:a/ on:state"
    for query in ("path:a/ project:linux", "path:a/ -project:linux"):
        assert str(meant(parse(query), standing)) == query
    assert str(meant(parse("path:a/"), QueryContext())) == "path:a/"


def test_mine_is_whatever_comes_from_the_owners_addresses() -> None:
    standing = QueryContext("", ("ann@example.org", "ann@home.example"))

    assert str(meant(parse("is:mine"), standing)) == "from:ann@example.org,ann@home.example"


def test_a_query_that_a_newer_program_cannot_read_is_left_out() -> None:
    ann = UserId("@ann:hs")

    assert listening(ChatSubscription(SubscriptionId(1), ROOM, None, "nonsense:1", ann, NOW), QueryContext()) is None
