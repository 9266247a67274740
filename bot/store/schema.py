"""The tables. Ids of Patchwork objects are unique only within a server; times are UTC."""

import sqlalchemy as sa

from bot.store.columns import Id, Utc, metadata

server = sa.Table(
    "server",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("cursor", sa.Text),
    sa.Column("highest_event", sa.BigInteger, nullable=False),
    sa.Column("rebuilds", sa.Integer, nullable=False, server_default="0"),  # how often its ids started anew
    sa.Column("polled_at", Utc),  # the last time that a poll of it succeeded
)

sweep = sa.Table(  # how far the sweeps of a server came
    "sweep",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("at", Utc, nullable=False),  # the last one that was complete
    sa.Column("archived", sa.BigInteger),  # how many archived patches there were; null: not told
    sa.Column("named_at", Utc),  # when a page was last asked for the names of the states
    sa.Column("below", sa.BigInteger),  # the round goes on with what has a lower patch id; null: from the newest on
    sa.Column("patches", sa.JSON, nullable=False),  # how far the list was read: [highest, total, projects, floors]
    sa.Column("series", sa.JSON, nullable=False),
)

state = sa.Table(  # those that a server showed
    "state",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("slug", sa.Text, primary_key=True),
    sa.Column("name", sa.Text),  # as its pages spell it; null: none did
)

project = sa.Table(
    "project",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("baseline_event", sa.BigInteger, nullable=False),
    sa.Column("baseline_date", sa.Text),
    sa.Column("baseline_patch", sa.BigInteger, nullable=False),
    sa.Column("baseline_series", sa.BigInteger, nullable=False),
    sa.Column("known_since", Utc, nullable=False),
    sa.Column("unread_from", sa.Text),  # the server's date from which its events were not read while it was not there
)

seen_event = sa.Table(
    "seen_event",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("seen_at", Utc, nullable=False),
)

pending = sa.Table(
    "pending",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("first_seen", Utc, nullable=False),
    sa.Column("due", Utc, nullable=False),
    sa.Column("deadline", Utc, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("unreadable_since", Utc),  # the first answer in a row that could not be used
    sa.Column("missing_since", Utc),  # the first time that the server said that it has no such object
)

series = sa.Table(
    "series",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("submitter_name", sa.Text, nullable=False),
    sa.Column("submitter_email", sa.Text, nullable=False),
    sa.Column("date", sa.Text, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("received_total", sa.Integer, nullable=False),
    sa.Column("received_all", sa.Boolean, nullable=False),
    sa.Column("cover", sa.Text),
    sa.Column("archive_url", sa.Text),
    sa.Column("patches", sa.JSON, nullable=False),  # [[id, msgid, name], …] by number
    sa.Column("judged_at", Utc, nullable=False),
    sa.Column("former", sa.BigInteger),  # the series that this one is a new version of, where that is certain
    sa.Column("submitter", sa.Text, nullable=False, server_default=""),  # the address, in lower case; as far as indexed
    sa.Column("cover_id", sa.BigInteger),
    sa.Column("cover_name", sa.Text, nullable=False, server_default=""),  # the cover letter's subject, with prefixes
    sa.Column("trailers", sa.JSON),  # of the comments on the cover letter, [[kind, person], …]; null: none were read
    sa.Index(None, "cover"),
    sa.Index(None, "server", "former"),
    sa.Index(None, "server", "submitter", "id"),
)

patch = sa.Table(
    "patch",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("series", sa.BigInteger),
    sa.Column("msgid", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("submitter_name", sa.Text, nullable=False),
    sa.Column("submitter_email", sa.Text, nullable=False),
    sa.Column("date", sa.Text, nullable=False),
    sa.Column("state", sa.Text),
    sa.Column("delegate", sa.Text),
    sa.Column("check", sa.Text),
    sa.Column("archived", sa.Boolean, nullable=False),
    sa.Column("hash", sa.Text),
    sa.Column("pull_url", sa.Text),
    sa.Column("archive_url", sa.Text),
    sa.Column("files", sa.JSON, nullable=False),  # [[path, old path or null, added, removed], …]; null: not read
    sa.Column("to", sa.JSON, nullable=False),
    sa.Column("cc", sa.JSON, nullable=False),
    sa.Column("trailers", sa.JSON, nullable=False),  # [[kind, person, name], …]
    sa.Column("read_at", Utc, nullable=False),
    sa.Column("former_state", sa.Text),  # the state before the last change of it; null: none was seen
    sa.Column("commit_ref", sa.Text),
    sa.Column("changed_at", Utc),  # when something last happened to it; null: nothing did since it was read
    sa.Index(None, "server", "series"),
    sa.Index(None, "msgid"),
)

maintainers = sa.Table(  # the last good copy of each project's MAINTAINERS
    "maintainers",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("place", sa.Text, nullable=False),  # where it was read from
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("read_at", Utc, nullable=False),
)

told = sa.Table(  # what was told of patches not read yet
    "told",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("patch", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("field", sa.Text, primary_key=True),  # a column of theirs
    sa.Column("value", sa.Text),
    sa.Column("told_at", Utc, nullable=False),
)

patch_check = sa.Table(  # the last word of each account in each context, of patches not read yet, too
    "patch_check",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("patch", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("user", sa.Text, primary_key=True),  # "" where the server does not tell
    sa.Column("context", sa.Text, primary_key=True),
    sa.Column("id", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("description", sa.Text),  # the beginning of it; null: an event told of the check, which has none
    sa.Column("told_at", Utc, nullable=False),
    sa.Index(None, "told_at"),
)

comment = sa.Table(  # those that were heard of
    "comment",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),  # "patch" or "cover", whose comments number themselves apart
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("object", sa.BigInteger, nullable=False),  # the patch or cover letter
    sa.Column("told", sa.Boolean, nullable=False),  # or nobody wanted to hear what it says
    sa.Column("seen_at", Utc, nullable=False),
    sa.Index(None, "server", "kind", "object"),
)

card = sa.Table(
    "card",
    metadata,
    sa.Column("room", sa.Text, primary_key=True),
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),  # "series", or "patch" for one without a series
    sa.Column("object", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("notice_key", sa.Text, nullable=False),
    sa.Column("event", sa.Text),  # once it is sent
    sa.Column("why", sa.JSON, nullable=False),  # [[subscription, term, found], …]
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("form", sa.Text, nullable=False, server_default="card"),  # or "compact"
    sa.Column("shown", sa.Text),  # a digest of what it says, with all edits written so far
    sa.Column("edits", sa.Integer, nullable=False, server_default="0"),  # written so far
    sa.Column("edited_at", Utc),  # when the last of them was written
    sa.Column("urgent_since", Utc),  # when a change was seen that it does not show yet, and soon must
    sa.Column("counts_since", Utc),  # the first and the last change that it does not show yet, and that may wait
    sa.Column("counts_last", Utc),
    sa.Column("touched_at", Utc),  # when the last change was seen; null: none was
    sa.Column("due_at", Utc),  # when to edit it; null: it shows everything
    sa.Column("rings", sa.Boolean, nullable=False, server_default=sa.false()),  # as it was written, and so its edits
    sa.Column("ended", sa.Text),  # why it is edited no more: "redacted", "moved"
    sa.Index(None, "room", "created_at"),
    sa.Index(None, "server", "kind", "object"),
    sa.Index(None, "due_at"),
    sa.Index(None, "notice_key"),
)

notice = sa.Table(
    "notice",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("txn", sa.Text, nullable=False, unique=True),
    sa.Column("room", sa.Text, nullable=False),
    sa.Column("lane", sa.Integer, nullable=False),
    sa.Column("message", sa.JSON, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("next_at", Utc, nullable=False),
    sa.Column("first_tried", Utc),
    sa.Column("first_device", sa.Text),
    sa.Column("event", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("settled_at", Utc),
    sa.Column("of", sa.Text),  # the key of the notice that it hangs on or changes
    sa.Column("asked_by", sa.Text),  # the person whom an answer is for; null: nobody
    sa.Index(None, "state", "room", "lane", "asked_by", "id"),
    sa.Index(None, "created_at"),
    sa.Index(None, "of"),
)

queued_change = sa.Table(  # what is soon told below a card; an id is never given twice, for a notice is named by it
    "queued_change",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("card", sa.Text, nullable=False),  # the key of its notice
    sa.Column("seen_at", Utc, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("patch", sa.BigInteger),  # null: all of the series
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("context", sa.Text, nullable=False),
    sa.Column("comment", sa.JSON(none_as_null=True)),
    sa.Index(None, "card", "id"),
    sqlite_autoincrement=True,
)

session = sa.Table(  # where the sync of an account goes on
    "session",
    metadata,
    sa.Column("user", sa.Text, primary_key=True),
    sa.Column("since", sa.Text, nullable=False),
)

room = sa.Table(  # the rooms of which there is something to remember
    "room",
    metadata,
    sa.Column("room", sa.Text, primary_key=True),
    sa.Column("direct", sa.Boolean, nullable=False),
    sa.Column("suspended", sa.Boolean, nullable=False),
    sa.Column("name", sa.Text, unique=True),  # what the configuration calls it
    sa.Column("resumed", sa.Integer, nullable=False, server_default="0"),  # how often it let us again
    sa.Column("left", sa.Boolean, nullable=False, server_default=sa.false()),  # we went, by ourselves
    sa.Column("alone", sa.Boolean, nullable=False, server_default=sa.false()),  # everybody else left it
    sa.Column("skipped_until", Utc),  # too large to be read with the others
)

encrypted_room = sa.Table(  # never forgotten: a homeserver that says otherwise later is not believed
    "encrypted_room",
    metadata,
    sa.Column("room", sa.Text, primary_key=True),
    sa.Column("algorithm", sa.Text, nullable=False),  # "" where its state names none
)

invitation = sa.Table(  # those that nothing came of yet
    "invitation",
    metadata,
    sa.Column("room", sa.Text, primary_key=True),
    sa.Column("inviter", sa.Text, nullable=False),
    sa.Column("direct", sa.Boolean, nullable=False),
)

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("room", sa.Text, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("sender", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("sent_at", Utc, nullable=False),
    sa.Column("answered", sa.Boolean, nullable=False),
    sa.Column("thread", sa.Text),  # the event at its root
    sa.Column("replies_to", sa.Text),
    sa.UniqueConstraint("room", "event"),
    sa.Index(None, "answered", "sender", "id"),
)

subscription = sa.Table(  # those made in chat; an id is never given twice, for people remember them
    "subscription",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("room", sa.Text, nullable=False),  # where it is told
    sa.Column("person", sa.Text),  # whose it is; null: the room's
    sa.Column("query", sa.Text, nullable=False),  # canonical
    sa.Column("added_by", sa.Text, nullable=False),
    sa.Column("added_at", Utc, nullable=False),
    sa.Column("muted_until", Utc),
    sa.Index(None, "room"),
    sa.Index(None, "person"),
    sqlite_autoincrement=True,
)

person_address = sa.Table(  # what `is:mine` stands for
    "person_address",
    metadata,
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("address", sa.Text, primary_key=True),
)

room_setting = sa.Table(  # what was set in chat; what is not there has its default
    "room_setting",
    metadata,
    sa.Column("room", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

room_mute = sa.Table(  # rooms where nothing is told until then
    "room_mute",
    metadata,
    sa.Column("room", sa.Text, primary_key=True),
    sa.Column("until", Utc, nullable=False),
)

digest = sa.Table(  # the digests that are wanted, or that something is kept for
    "digest",
    metadata,
    sa.Column("room", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),  # canonical, e.g. "Mon-Fri 09:00"
    sa.Column("since", Utc, nullable=False),  # when the last one was due, or the first was asked for
    sa.Column("next_due_at", Utc, nullable=False),
    sa.Index(None, "next_due_at"),
)

digest_entry = sa.Table(  # what digests tell of; a series is in a digest once
    "digest_entry",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),  # in the order of arrival
    sa.Column("room", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("server", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # "series", or "patch" for one without a series
    sa.Column("object", sa.BigInteger, nullable=False),
    sa.Column("why", sa.JSON, nullable=False),  # [[subscription, term, found], …]
    sa.Column("added_at", Utc, nullable=False),
    sa.Column("told_at", Utc),
    sa.UniqueConstraint("room", "digest", "server", "kind", "object"),
    sa.Index(None, "told_at"),
)

flood_limit = sa.Table(  # how many series at once are too many for cards, as the settings have it
    "flood_limit",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),  # what the configuration calls the room
    sa.Column("series", sa.Integer, nullable=False),
)

flood = sa.Table(  # the floods that go on, or are over and not told yet
    "flood",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),  # of its line
    sa.Column("room", sa.Text, nullable=False),
    sa.Column("server", sa.Text, nullable=False),  # which brought the last of it
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("opened", Utc, nullable=False),
    sa.Column("last", Utc, nullable=False),  # when more of it came
    sa.Column("before", sa.Integer, nullable=False),  # cards that were sent just before
    sa.Column("said", sa.Boolean, nullable=False),  # its line is written
)

flooded = sa.Table(  # series that have a place in a list instead of a card, or that a catch-up still holds
    "flooded",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("room", sa.Text, nullable=False),
    sa.Column("server", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("object", sa.BigInteger, nullable=False),
    sa.Column("key", sa.Text, nullable=False),  # of the line that it hangs on
    sa.Column("wanted", sa.JSON, nullable=False),  # why, and what else its card would show
    sa.Column("gathered_at", Utc, nullable=False),
    sa.UniqueConstraint("server", "kind", "object", "room"),
    sa.Index(None, "key"),
    sa.Index(None, "gathered_at"),
)

absence = sa.Table(  # the last absence from a server
    "absence",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("since", Utc, nullable=False),
    sa.Column("until", Utc, nullable=False),
    sa.Column("whose", sa.Text, nullable=False),
    sa.Column("came", sa.Integer, nullable=False),  # series, and lone patches
    sa.Column("old", sa.Integer, nullable=False),  # too old to be told
    sa.Column("ended", Utc),  # when what was missed was told
)

retry = sa.Table(  # what could not be handled for a fault in it alone, and is tried again
    "retry",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),  # what it is about, readable
    sa.Column("server", sa.Text),
    sa.Column("room", sa.Text),  # null: all that it concerns
    sa.Column("work", sa.JSON, nullable=False),  # what to do again, where the key does not say
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("next_at", Utc, nullable=False),
    sa.Index(None, "kind", "key"),
    sa.Index(None, "server", "next_at"),
)
