"""Which subscriptions look at a project, and which rooms a changed section concerns."""

import pytest

from bot.ids import ProjectName, RoomId, ServerName, SubscriptionId
from bot.query.index.index import Subscription
from bot.query.maintainers.maintainers import read
from bot.query.parser import parse
from bot.subscriptions.section_changes import followed_changes, looks_at

WHERE = (ServerName("ozlabs"), ProjectName("qemu-devel"))
BEFORE = read("Virtio\nM: ann@redhat.com\nF: hw/virtio/\n\nUSB\nF: hw/usb/\n")
AFTER = read("Virtio\nM: ann@redhat.com\nF: hw/virtio/\nF: net/virtio.c\n\nUSB\nF: hw/usb/\n")


@pytest.mark.parametrize(
    ("query", "looks"),
    [
        ("maint:virtio", True),
        ("maint:virtio project:qemu-devel", True),
        ("maint:virtio project:QEMU-devel,linux", True),
        ("maint:virtio project:linux", False),
        ("maint:virtio OR project:linux", True),
        ("(maint:virtio project:linux) OR (maint:usb project:qemu-devel)", True),
        ("maint:virtio -project:qemu-devel", False),
        ("maint:virtio -project:linux", True),
        ("maint:virtio server:kernel", False),
        ("maint:virtio -(project:qemu-devel server:kernel)", True),
    ],
)
def test_a_query_looks_at_a_project_unless_it_says_otherwise(query: str, looks: bool) -> None:
    assert looks_at(parse(query), *WHERE) is looks


@pytest.mark.parametrize("query", ["maint:virtio", "maint:ann@redhat.com", "maint:@redhat.com", "s:x -maint:virtio"])
def test_a_room_follows_the_sections_that_its_queries_name_in_any_way(query: str) -> None:
    subscription = Subscription(SubscriptionId(1), RoomId("!room:hs"), parse(query))

    ((room, (change,)),) = followed_changes([subscription], WHERE, BEFORE, AFTER).items()

    assert (room, change.name, change.rules_added) == ("!room:hs", "Virtio", ("F: net/virtio.c",))


def test_what_did_not_change_concerns_nobody() -> None:
    subscription = Subscription(SubscriptionId(1), RoomId("!room:hs"), parse("maint:usb"))

    assert followed_changes([subscription], WHERE, BEFORE, AFTER) == {}
