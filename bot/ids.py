"""Defines a type for each kind of id that could be confused with others, without any cost at run time."""

from typing import NewType

ServerName = NewType("ServerName", str)  # the `name` of a [[patchwork]] table
ProjectName = NewType("ProjectName", str)  # Patchwork's link_name, as the server spells it
PatchId = NewType("PatchId", int)
SeriesId = NewType("SeriesId", int)
PatchworkEventId = NewType("PatchworkEventId", int)
Msgid = NewType("Msgid", str)  # a Message-ID without its angle brackets

RoomId = NewType("RoomId", str)  # "!abc:example.org", or "!abc" from room version 12 on
EventId = NewType("EventId", str)  # a Matrix event's, "$…"
UserId = NewType("UserId", str)
DeviceId = NewType("DeviceId", str)
TxnId = NewType("TxnId", str)

SubscriptionId = NewType("SubscriptionId", int)
NoticeId = NewType("NoticeId", int)  # in the order of the outbox
NoticeKey = NewType("NoticeKey", str)  # unique and readable, e.g. "card/ozlabs/series/491328/!room:hs"
