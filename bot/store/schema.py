"""The tables. Ids of Patchwork objects are unique only within a server; times are UTC."""

import sqlalchemy as sa

from bot.store.columns import Id, Utc, metadata

server = sa.Table(
    "server",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("cursor", sa.Text),
    sa.Column("highest_event", sa.BigInteger, nullable=False),
    sa.Column("rebuilds", sa.Integer, nullable=False, server_default="0"),  # number of times that its ids started over
    sa.Column("polled_at", Utc),  # last successful poll
)

sweep = sa.Table(  # progress of a server's sweeps
    "sweep",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("at", Utc, nullable=False),  # last complete sweep
    sa.Column("archived", sa.BigInteger),  # number of archived patches; null: unknown
    sa.Column("named_at", Utc),  # last read of the names of states from a page
    sa.Column("below", sa.BigInteger),  # the round continues below this patch id; null: at the newest
    sa.Column("patches", sa.JSON, nullable=False),  # mark of the list: [highest, total, projects, floors]
    sa.Column("series", sa.JSON, nullable=False),
)

state = sa.Table(  # patch states seen on a server
    "state",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("slug", sa.Text, primary_key=True),
    sa.Column("name", sa.Text),  # spelling on the server's pages; null: unknown
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
    sa.Column("unread_from", sa.Text),  # server date from which events are unread, because the project was missing
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
    sa.Column("unreadable_since", Utc),  # first of the unusable responses in a row
    sa.Column("missing_since", Utc),  # first "not found" of the server
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
    sa.Column("evaluated_at", Utc, nullable=False),
    sa.Column("former", sa.BigInteger),  # former version, if it is certain
    sa.Column(
        "submitter", sa.Text, nullable=False, server_default=""
    ),  # the address as indexed: in lower case, and cut
    sa.Column("cover_id", sa.BigInteger),
    sa.Column("cover_name", sa.Text, nullable=False, server_default=""),  # the cover letter's subject, with prefixes
    sa.Column("trailers", sa.JSON),  # in comments on the cover letter, [[kind, person], …]; null: not read
    sa.Index(None, "cover"),
    sa.Index(None, "server", "former"),
    sa.Index(None, "server", "submitter", "id"),
    sa.Index(None, "evaluated_at"),
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
    sa.Column("state_changed_at", Utc),  # when that was seen
    sa.Column("commit_ref", sa.Text),
    sa.Column("changed_at", Utc),  # last change; null: none since it was read
    sa.Column("fingerprint", sa.LargeBinary),  # of its diff, only read to compare versions; null: none is known
    sa.Index(None, "server", "series"),
    sa.Index(None, "msgid"),
    sa.Index(None, "read_at"),
)

maintainers = sa.Table(  # last valid copy of each project's MAINTAINERS
    "maintainers",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("place", sa.Text, nullable=False),  # source: a path or URL
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("read_at", Utc, nullable=False),
)

early_update = sa.Table(  # updates of patches that are not read yet
    "early_update",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("patch", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("field", sa.Text, primary_key=True),  # a column of `patch`
    sa.Column("value", sa.Text),
    sa.Column("received_at", Utc, nullable=False),
)

patch_check = sa.Table(  # latest check of each account in each context, also of patches that are not read yet
    "patch_check",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("patch", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("user", sa.Text, primary_key=True),  # "" if the server does not return it
    sa.Column("context", sa.Text, primary_key=True),
    sa.Column("id", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("description", sa.Text),  # its beginning; null: not read, because events have none
    sa.Column("received_at", Utc, nullable=False),
    sa.Index(None, "received_at"),
)

comment = sa.Table(  # comments announced by events or found by rechecks
    "comment",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),  # "patch" or "cover"; ids are unique only within a kind
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("object", sa.BigInteger, nullable=False),  # the patch or cover letter
    sa.Column("posted", sa.Boolean, nullable=False),  # also true if no subscription needs it
    sa.Column("seen_at", Utc, nullable=False),
    sa.Index(None, "server", "kind", "object"),
    sa.Index(None, "seen_at"),
)

card = sa.Table(
    "card",
    metadata,
    sa.Column("room", sa.Text, primary_key=True),
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),  # "series", or "patch" for a patch without a series
    sa.Column("object", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("notice_key", sa.Text, nullable=False),
    sa.Column("event", sa.Text),  # null until it is sent
    sa.Column("why", sa.JSON, nullable=False),  # [[subscription, term, match, …], …]
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("form", sa.Text, nullable=False, server_default="card"),  # "card" or "compact"
    sa.Column("digest", sa.Text),  # of its text with all stored edits
    sa.Column("edits", sa.Integer, nullable=False, server_default="0"),  # number of stored edits
    sa.Column("edited_at", Utc),  # last stored edit
    sa.Column("urgent_since", Utc),  # first urgent change that it does not show yet
    sa.Column("counts_since", Utc),  # first and last change that it does not show yet and that can wait
    sa.Column("counts_last", Utc),
    sa.Column("touched_at", Utc),  # last change seen; null: none
    sa.Column("due_at", Utc),  # time of the next edit; null: up to date
    sa.Column("rings", sa.Boolean, nullable=False, server_default=sa.false()),  # whether it, and so its edits, notify
    sa.Column("ended", sa.Text),  # why it is no longer edited: "redacted", "moved"
    sa.Index(None, "room", "created_at"),
    sa.Index(None, "created_at"),
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
    sa.Column("of", sa.Text),  # key of the notice that it refers to or edits
    sa.Column("asked_by", sa.Text),  # recipient of an answer; null: none
    sa.Index(None, "state", "room", "lane", "asked_by", "id"),
    sa.Index(None, "created_at"),
    sa.Index(None, "of"),
)

queued_change = (
    sa.Table(  # changes to be posted in a card's thread; ids are never reused, because notice keys have them
        "queued_change",
        metadata,
        sa.Column("id", Id, primary_key=True, autoincrement=True),
        sa.Column("card", sa.Text, nullable=False),  # notice key of the card
        sa.Column("seen_at", Utc, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("patch", sa.BigInteger),  # null: the whole series
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("context", sa.Text, nullable=False),
        sa.Column("actor", sa.Text),  # the account that made it; null: unknown
        sa.Column("comment", sa.JSON(none_as_null=True)),
        sa.Index(None, "card", "id"),
        sqlite_autoincrement=True,
    )
)

session = sa.Table(  # sync token of an account
    "session",
    metadata,
    sa.Column("user", sa.Text, primary_key=True),
    sa.Column("since", sa.Text, nullable=False),
)

room = sa.Table(  # rooms with a stored state
    "room",
    metadata,
    sa.Column("room", sa.Text, primary_key=True),
    sa.Column("direct", sa.Boolean, nullable=False),
    sa.Column("suspended", sa.Boolean, nullable=False),
    sa.Column("name", sa.Text, unique=True),  # name in the configuration
    sa.Column("resumed", sa.Integer, nullable=False, server_default="0"),  # number of times that it was resumed
    sa.Column("left", sa.Boolean, nullable=False, server_default=sa.false()),  # the bot left by itself
    sa.Column("alone", sa.Boolean, nullable=False, server_default=sa.false()),  # all other members left
    sa.Column("skipped_until", Utc),  # too large for a sync; left out until then
)

encrypted_room = sa.Table(  # never deleted: encryption cannot be disabled, whatever a homeserver claims
    "encrypted_room",
    metadata,
    sa.Column("room", sa.Text, primary_key=True),
    sa.Column("algorithm", sa.Text, nullable=False),  # "" if the room's state names none
)

invitation = sa.Table(  # invitations that are not settled
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
    sa.Column("thread", sa.Text),  # root event of the thread
    sa.Column("replies_to", sa.Text),
    sa.Column("sealed", sa.Text),  # the token in it, encrypted, of which the body has none; null: there was none
    sa.Column("encrypted", sa.Boolean, nullable=False, server_default=sa.false()),  # a device of the sender did it
    sa.Column("reaction", sa.Text),  # emoji of a reaction to `replies_to`, which has no body; null: it is a message
    sa.UniqueConstraint("room", "event"),
    sa.Index(None, "answered", "sender", "id"),
)

subscription = sa.Table(  # subscriptions made in chat; ids are never reused, because people remember them
    "subscription",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("room", sa.Text, nullable=False),  # where matches are posted
    sa.Column("person", sa.Text),  # owner; null: the room
    sa.Column("query", sa.Text, nullable=False),  # canonical text
    sa.Column("added_by", sa.Text, nullable=False),
    sa.Column("added_at", Utc, nullable=False),
    sa.Column("muted_until", Utc),
    sa.Index(None, "room"),
    sa.Index(None, "person"),
    sqlite_autoincrement=True,
)

person_address = sa.Table(  # addresses that `is:mine` stands for
    "person_address",
    metadata,
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("address", sa.Text, primary_key=True),
)

room_setting = sa.Table(  # settings made in chat; a missing one has its default
    "room_setting",
    metadata,
    sa.Column("room", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

room_mute = sa.Table(  # muted rooms
    "room_mute",
    metadata,
    sa.Column("room", sa.Text, primary_key=True),
    sa.Column("until", Utc, nullable=False),
)

digest = sa.Table(  # digests with subscriptions or unposted entries
    "digest",
    metadata,
    sa.Column("room", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),  # canonical, e.g. "Mon-Fri 09:00"
    sa.Column("since", Utc, nullable=False),  # last due time, or when the first was requested
    sa.Column("next_due_at", Utc, nullable=False),
    sa.Index(None, "next_due_at"),
)

digest_entry = sa.Table(  # entries of digests; a submission is in a digest once
    "digest_entry",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),  # in the order of arrival
    sa.Column("room", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("server", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # "series", or "patch" for a patch without a series
    sa.Column("object", sa.BigInteger, nullable=False),
    sa.Column("why", sa.JSON, nullable=False),  # [[subscription, term, match, …], …]
    sa.Column("added_at", Utc, nullable=False),
    sa.Column("posted_at", Utc),
    sa.UniqueConstraint("room", "digest", "server", "kind", "object"),
    sa.Index(None, "posted_at"),
)

flood_limit = sa.Table(  # configured number of series at once above which they get a list instead of cards
    "flood_limit",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),  # the room's name in the configuration
    sa.Column("series", sa.Integer, nullable=False),
)

flood = sa.Table(  # floods that are open, or ended and not posted yet
    "flood",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),  # key of its list
    sa.Column("room", sa.Text, nullable=False),
    sa.Column("server", sa.Text, nullable=False),  # server of the newest submission
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("opened", Utc, nullable=False),
    sa.Column("last", Utc, nullable=False),  # time of the newest submission
    sa.Column("before", sa.Integer, nullable=False),  # number of cards sent just before
    sa.Column("is_posted", sa.Boolean, nullable=False),  # true once its list is stored
)

flood_entry = sa.Table(  # submissions in a list instead of a card, or held for a catch-up
    "flood_entry",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("room", sa.Text, nullable=False),
    sa.Column("server", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("object", sa.BigInteger, nullable=False),
    sa.Column("key", sa.Text, nullable=False),  # key of its list
    sa.Column("content", sa.JSON, nullable=False),  # reasons, paths and form of its card
    sa.Column("added_at", Utc, nullable=False),
    sa.UniqueConstraint("server", "kind", "object", "room"),
    sa.Index(None, "key"),
    sa.Index(None, "added_at"),
)

catch_up = sa.Table(  # the last absence from a server, after which missed submissions are posted
    "catch_up",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("since", Utc, nullable=False),
    sa.Column("until", Utc, nullable=False),
    sa.Column("whose", sa.Text, nullable=False),
    sa.Column("came", sa.Integer, nullable=False),  # number of submissions
    sa.Column("old", sa.Integer, nullable=False),  # number of submissions that are too old to be posted
    sa.Column("ended", Utc),  # when the catch-up was posted
)

retry = sa.Table(  # items that failed individually, to be retried
    "retry",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),  # readable name of the item
    sa.Column("server", sa.Text),
    sa.Column("room", sa.Text),  # null: all rooms
    sa.Column("work", sa.JSON, nullable=False),  # data needed for the retry besides the key
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("next_at", Utc, nullable=False),
    sa.Index(None, "kind", "key"),
    sa.Index(None, "server", "next_at"),
)
