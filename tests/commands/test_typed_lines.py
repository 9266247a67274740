# ruff: noqa: E501  # the answers as they are said
"""Lines as people type them, on phones, too, and what each is answered: by the whole pipeline, in order.

Each line was judged when it was written: 2 for the right answer, 1 for one that helps, 0 for a useless one.
"""

from pathlib import Path

from inline_snapshot import Snapshot, snapshot

from bot import __version__
from support.conversation import CHAT, MEMBER, MODERATOR, OPERATOR, conversation
from support.rig import ROOM

Lines = list[tuple[str, Snapshot[str]]]

# A moderator in the room.
IN_THE_ROOM: Lines = [
    (
        "!pw",
        snapshot("""\
Most wanted
• !pw sub path:drivers/net/ — post series that touch these files
• !pw test path:drivers/net/ 7d — what that would have brought
• !pw subs · !pw unsub 7 · !pw mute 2h
• !pw show https://lore.kernel.org/… — look one up; in reply to a card: !pw diff, !pw checks, !pw comments, !pw why
• !pw status — whether all is well
Everything: !pw help all · queries: !pw help query · one word: !pw help digest\
"""),
    ),
    (
        "!pw help",
        snapshot("""\
Most wanted
• !pw sub path:drivers/net/ — post series that touch these files
• !pw test path:drivers/net/ 7d — what that would have brought
• !pw subs · !pw unsub 7 · !pw mute 2h
• !pw show https://lore.kernel.org/… — look one up; in reply to a card: !pw diff, !pw checks, !pw comments, !pw why
• !pw status — whether all is well
Everything: !pw help all · queries: !pw help query · one word: !pw help digest\
"""),
    ),
    (
        "!pw Help",
        snapshot("""\
Most wanted
• !pw sub path:drivers/net/ — post series that touch these files
• !pw test path:drivers/net/ 7d — what that would have brought
• !pw subs · !pw unsub 7 · !pw mute 2h
• !pw show https://lore.kernel.org/… — look one up; in reply to a card: !pw diff, !pw checks, !pw comments, !pw why
• !pw status — whether all is well
Everything: !pw help all · queries: !pw help query · one word: !pw help digest\
"""),
    ),
    (
        "!PW help all",
        snapshot("""\
The bot
• !pw help [WORD] — the most wanted commands, all of them, or what one word means
• !pw status — whether all is well: the servers, and what this room gets
• !pw version — the name and the version of the bot
Looking patches up
• !pw show REF — a patch or a series, by id, message-id or link
• !pw series REF — a series with all its patches
• !pw diff REF, or vA..vB — what a patch changes, or what changed between two versions of a series
• !pw also REF [from N] — other open series that touch the same files
• !pw checks REF — the checks of a patch
• !pw comments REF — what reviewers wrote about a patch
• !pw find QUERY — the newest series that match a query
• !pw queue [QUERY] [PAGE] — what is open here and whose turn it is, with the reason
• !pw stats [QUERY] [90d] — figures: what came, was accepted, is open, and how long it took
• !pw chart [QUERY] [90d] — the figures week by week, as a picture
Subscriptions
• !pw sub QUERY — post each new series that matches a query
• !pw unsub ID — end a subscription
• !pw subs [from] — the subscriptions here, with their numbers and what they bring
• !pw edit ID QUERY — give a subscription another query
• !pw test QUERY [7d] — what a query would have brought, without subscribing
• !pw why — as a reply to a card: which subscriptions brought it
• !pw mute [ID] [2h] — pause one subscription or all, for a time or until unmute
• !pw unmute [ID] — end the pause
This chat, and you
• !pw snooze [REF 2w|until DATE|until v7] — keep a patch or series out of the queues here until then; alone: list them
• !pw unsnooze REF — end that
• !pw set KEY VALUE — change a setting
• !pw settings — the settings, and what they can be
• !pw me [ADDRESS] — in a direct chat: your mail addresses, or one more, whose patches you then hear of
• !pw me forget ADDRESS — in a direct chat: no longer count an address as yours
• !pw export [from] — the subscriptions here, as lines for the configuration
What you follow
• !pw follow REF — post to your direct chat what happens to a patch or a series, and its later versions
• !pw unfollow REF — end that
• !pw follows [from] — what you follow
Changing patches on Patchwork
• !pw state REF… STATE — set the state of patches; a series means all its patches
• !pw delegate REF… USER|me|nobody — delegate patches to a maintainer, to yourself, or to nobody
• !pw archive [REF…] — archive patches
• !pw unarchive [REF…] — take patches out of the archive
• !pw token [SERVER TOKEN] — in an encrypted direct chat: your API tokens, or one more, to change patches with
• !pw token forget SERVER — delete the token that you gave for a server
More about one: !pw help show
What a QUERY may ask for: !pw help query\
"""),
    ),
    (
        "!pw help query",
        snapshot("""\
QUERY is made of terms, such as path:migration/ from:@example.org -prefix:RFC. All of them must match; a comma means or, a minus excludes.
• path:drivers/net/ — the files that a patch touches
• maint:virtio — a section of MAINTAINERS
• from:@redhat.com — who sent it, by address or name
• to:netdev@vger.kernel.org — who it was sent to
• cc:qemu-stable@nongnu.org — who else it was sent to
• subject:"dirty limit" — words of the subject; /…/ is a regular expression
• prefix:RFC — a word in the brackets before the subject
• version:>=2 — which version of a series
• patches:>30 — how many patches it has
• project:qemu-devel — a project of a Patchwork server
• server:ozlabs — a Patchwork server, by its name here
• state:accepted or state:new->accepted — its state, or a change of state
• delegate:jane — the maintainer it is delegated to
• check:fail or check:fail/build* — the result of its checks
• is:pull — what it is: mine, pull, complete, reviewed, archived
• stale:14d — for how long nothing has happened to it
• turn:review — whose turn it is: failing, author, ready, review
• text:kmalloc — words of the mail
• on:new,state — which news to post: new, revision, state, check, comment
• as:compact — how a new series is shown: card, or compact (two lines)
• digest:"Mon-Fri 09:00" — one list at these times instead of cards
More about one: !pw help path\
"""),
    ),
    (
        "!pw help digest",
        snapshot("""\
digest:"Mon-Fri 09:00" — one list at these times instead of cards
digest:daily is every day at 09:00; other days: Mon,Thu 18:30, weekly, weekdays 8:00.
Times are in the zone of !pw set timezone Europe/Berlin, UTC without it.
Try it: !pw sub path:drivers/net/ digest:"Mon-Fri 09:00"\
"""),
    ),
    (
        "!pw help path",
        snapshot("""\
path:drivers/net/ — the files that a patch touches · short: dfn:
Paths begin at the top of the tree: migration/ is that directory, **/x.c a file at any depth.
* stays within one directory; a comma means or: path:hw/,migration/; -path:docs/ excludes.
Try it: !pw sub path:drivers/net/\
"""),
    ),
    (
        "!pw help path:",
        snapshot("""\
path:drivers/net/ — the files that a patch touches · short: dfn:
Paths begin at the top of the tree: migration/ is that directory, **/x.c a file at any depth.
* stays within one directory; a comma means or: path:hw/,migration/; -path:docs/ excludes.
Try it: !pw sub path:drivers/net/\
"""),
    ),
    (
        "!pw help flood",
        snapshot("""\
!pw set flood 20 — more new series than this at once become one message with a list: 1 to 100000, or 0 for never.
Without it: 10. Now: !pw settings\
"""),
    ),
    (
        "!pw help accepted",
        snapshot("""\
Accepted is a state of patches: state:accepted in a query.
!pw find state:accepted — the newest that have it
!pw sub path:drivers/net/ state:accepted — post series when they get it
state:*->accepted — only the change to it\
"""),
    ),
    (
        "!pw help mute.",
        snapshot("""\
!pw mute [ID] [2h] — pause one subscription or all, for a time or until unmute
Nothing that arrives meanwhile is posted, not even later.
ID is the number of a subscription, as !pw subs shows it.
A duration is a number of minutes, hours, days or weeks: 30m, 2h or 7d.
Example: !pw mute 7 2h · also: pause, silence
In a room, only moderators may (power level 50, or what the room sets for org.patchbot.subscription).\
"""),
    ),
    ("!pw help rooms", snapshot("“rooms” is only for the bot's admins.")),
    (
        "!pw help frobnicate",
        snapshot("""\
I have no help on “frobnicate”. These are the most wanted commands:
• !pw sub path:drivers/net/ — post series that touch these files
• !pw test path:drivers/net/ 7d — what that would have brought
• !pw subs · !pw unsub 7 · !pw mute 2h
• !pw show https://lore.kernel.org/… — look one up; in reply to a card: !pw diff, !pw checks, !pw comments, !pw why
• !pw status — whether all is well
Everything: !pw help all · queries: !pw help query · one word: !pw help digest\
"""),
    ),
    (
        "!pw help maintainer",
        snapshot("""\
maint:virtio — a section of MAINTAINERS
Needs a MAINTAINERS file in the bot's configuration (maintainers of the project).
An address means the sections that name it: maint:jane@example.org.
Try it: !pw sub maint:virtio\
"""),
    ),
    (
        "!pw how do I unsubscribe?",
        snapshot("""\
!pw unsub ID — end a subscription
!pw subs lists the subscriptions, each with its number.
Example: !pw unsub 7 · also: unsubscribe, del, delete, remove, rm, unwatch
In a room, only moderators may (power level 50, or what the room sets for org.patchbot.subscription).\
"""),
    ),
    (
        "!pw How can I get one message a day",
        snapshot("""\
digest:"Mon-Fri 09:00" — one list at these times instead of cards
digest:daily is every day at 09:00; other days: Mon,Thu 18:30, weekly, weekdays 8:00.
Times are in the zone of !pw set timezone Europe/Berlin, UTC without it.
Try it: !pw sub path:drivers/net/ digest:"Mon-Fri 09:00"\
"""),
    ),
    (
        "!pw who can change the subscriptions?",
        snapshot("""\
Everybody may look things up.
In a room, only moderators may change what is posted (power level 50, or what the room sets for org.patchbot.subscription).
In a direct chat, what you subscribe to is yours alone.
!pw subs [from] — the subscriptions here, with their numbers and what they bring
Example: !pw subs 31 · also: ls, list, subscriptions\
"""),
    ),
    (
        "!pw what does RFC mean",
        snapshot("""\
prefix:RFC — a word in the brackets before the subject
Such as RFC, RESEND, PULL or net-next; -prefix:RFC, or just -RFC, leaves RFCs out.
Try it: !pw sub prefix:RFC
RFC is a state of patches: state:rfc in a query.
!pw find state:rfc — the newest that have it
!pw sub path:drivers/net/ state:rfc — post series when they get it
state:*->rfc — only the change to it\
"""),
    ),
    (
        "!pw why do I get so many messages?",
        snapshot("""\
!pw why — as a reply to a card: which subscriptions brought it
Type it as a reply to a card, or in its thread.
!pw test QUERY [7d] — what a query would have brought, without subscribing
QUERY is made of terms, such as path:migration/ from:@example.org -prefix:RFC. All of them must match; a comma means or, a minus excludes.
A duration is a number of minutes, hours, days or weeks: 30m, 2h or 7d.
Example: !pw test path:migration/ 7d · also: try, preview
!pw mute [ID] [2h] — pause one subscription or all, for a time or until unmute
Nothing that arrives meanwhile is posted, not even later.
ID is the number of a subscription, as !pw subs shows it.
A duration is a number of minutes, hours, days or weeks: 30m, 2h or 7d.
Example: !pw mute 7 2h · also: pause, silence
In a room, only moderators may (power level 50, or what the room sets for org.patchbot.subscription).\
"""),
    ),
    (
        "!pw subs",
        snapshot("""\
This room has no subscriptions. A proposal:
!pw sub maint:Migration is about 5 series a week (this room's name fits the section “Migration” of MAINTAINERS)\
"""),
    ),
    ("!pw export", snapshot("There is nothing to export yet. To begin, type for example: !pw sub path:drivers/net/")),
    (
        "!pw sub path:migration/",
        snapshot("""\
Subscribed, as 1: path:migration/
About 5 series a week, counted since 2026-01-01.
Undo: !pw unsub 1\
"""),
    ),
    ("!pw Sub path:migration/", snapshot("That is already subscription 1; nothing was changed.")),
    (
        "!pw subscribe to path:hw/virtio/ -RFC please",
        snapshot("""\
Subscribed, as 2: path:hw/virtio/ -prefix:RFC
About 2 series a week, counted since 2026-01-01.
Undo: !pw unsub 2\
"""),
    ),
    (
        "!pw sub path:migration/multifd/",
        snapshot("""\
Subscribed, as 3: path:migration/multifd/
Nothing has matched since 2026-01-01.
Note: subscription 1 (path:migration/) posts all of these series already, and each series is posted once.
Undo: !pw unsub 3\
"""),
    ),
    (
        "!pw sub F: docs/",
        snapshot("""\
Subscribed, as 4: path:docs/
About 2 series a week, counted since 2026-01-01.
Undo: !pw unsub 4\
"""),
    ),
    (
        "!pw sub maint:virtio",
        snapshot("""\
Subscribed, as 5: maint:virtio
About 2 series a week, counted since 2026-01-01.
Undo: !pw unsub 5\
"""),
    ),
    (
        "!pw sub maint:virtoi",
        snapshot("""\
Subscribed, as 6: maint:virtoi
Nothing has matched since 2026-01-01.
Note: maint:virtoi is not a section of MAINTAINERS; did you mean maint:VirtIO?
Undo: !pw unsub 6\
"""),
    ),
    (
        "!pw sub “maint:Migration”",
        snapshot("""\
Subscribed, as 7: maint:Migration
About 5 series a week, counted since 2026-01-01.
Undo: !pw unsub 7\
"""),
    ),
    (
        "!pw sub maint:”Migration” on:comments",
        snapshot("""\
Subscribed, as 8: maint:Migration on:comment
Note: subscription 7 (maint:Migration) posts all of these series already; this adds on:comment.
Note: this posts no new series, only such changes, with a card where there is none yet.
Undo: !pw unsub 8\
"""),
    ),
    (
        "!pw sub state:merged path:migration/",
        snapshot("""\
Subscribed, as 9: state:merged path:migration/
Nothing has matched since 2026-01-01.
Note: sample has no state merged; did you mean state:accepted? Known: accepted, awaiting-upstream, changes-requested, deferred, new, not-applicable, rejected, rfc, superseded, under-review.
Note: subscription 1 (path:migration/) posts all of these series already; this adds on:state.
Undo: !pw unsub 9\
"""),
    ),
    (
        "!pw sub state:Accepted path:docs/",
        snapshot("""\
Subscribed, as 10: state:accepted path:docs/
Nothing has matched since 2026-01-01.
Note: subscription 4 (path:docs/) posts all of these series already; this adds on:state.
Undo: !pw unsub 10\
"""),
    ),
    (
        "!pw sub project:qemu path:hw/",
        snapshot("""\
Subscribed, as 11: project:qemu path:hw/
Note: project:qemu is not watched; did you mean project:qemu-devel?
Undo: !pw unsub 11\
"""),
    ),
    (
        "!pw sub server:ozlabs path:hw/",
        snapshot("""\
Subscribed, as 12: server:ozlabs path:hw/
Note: server:ozlabs is not watched; watched: sample.
Undo: !pw unsub 12\
"""),
    ),
    (
        "!pw sub path:hw/ digest:daily",
        snapshot("""\
Subscribed, as 13: path:hw/ digest:"daily 09:00"
Next digest: Tue 2026-01-13 09:00 UTC.
About 2 series a week, counted since 2026-01-01.
Undo: !pw unsub 13\
"""),
    ),
    (
        "!pw sub path:hw/net/ digest:Mon–Fri 9:00",
        snapshot("""\
Subscribed, as 14: path:hw/net/ digest:"Mon-Fri 09:00"
Next digest: Tue 2026-01-13 09:00 UTC.
Nothing has matched since 2026-01-01.
Undo: !pw unsub 14\
"""),
    ),
    (
        '!pw sub path:hw/arm/ digest:"every day at 8pm"',
        snapshot("""\
Subscribed, as 15: path:hw/arm/ digest:"daily 20:00"
Next digest: Tue 2026-01-13 20:00 UTC.
Nothing has matched since 2026-01-01.
Undo: !pw unsub 15\
"""),
    ),
    (
        "!pw sub path:hw/ppc/ digest:hourly",
        snapshot("""\
I cannot read this query, and nothing was changed:
path:hw/ppc/ digest:hourly
                    ^^^^^^
“hourly” is not a day: Mon, Tue, Wed, Thu, Fri, Sat, Sun, daily or weekly.\
"""),
    ),
    (
        "!pw sub pth:hw/",
        snapshot("""\
I cannot read this query, and nothing was changed:
pth:hw/
^^^^
pth: is not a key. Did you mean path:?\
"""),
    ),
    (
        "!pw sub path: hw/display/",
        snapshot("""\
Subscribed, as 16: path:hw/display/
Nothing has matched since 2026-01-01.
Undo: !pw unsub 16\
"""),
    ),
    (
        "!pw sub migration",
        snapshot("""\
Subscribed, as 17: subject:migration
Nothing has matched since 2026-01-01.
Note: migration is looked for in the subject; for the directory, use path:migration/.
Undo: !pw unsub 17\
"""),
    ),
    (
        "!pw sub qemu-devel",
        snapshot("""\
Subscribed, as 18: subject:qemu-devel
Nothing has matched since 2026-01-01.
Note: qemu-devel is looked for in the subject; for the whole project, use project:qemu-devel.
Undo: !pw unsub 18\
"""),
    ),
    (
        "!pw sub drivers/net",
        snapshot("""\
I cannot read this query, and nothing was changed:
drivers/net
^^^^^^^^^^^
A word without a key is looked for in the subject, and this looks like a path. Did you mean path:drivers/net?\
"""),
    ),
    (
        "!pw sub",
        snapshot(
            "QUERY is missing. Say what should match. Usage: !pw sub QUERY — for example: !pw sub path:migration/ -prefix:RFC"
        ),
    ),
    (
        "!pw sub path:docs/ or path:hw/",
        snapshot("""\
I cannot read this query, and nothing was changed:
path:docs/ or path:hw/
           ^^
Did you mean OR? It is written in capital letters. In quotes it is a word of the subject: "or"\
"""),
    ),
    (
        "!pw sub -path:docs/",
        snapshot("""\
I cannot read this query, and nothing was changed:
-path:docs/
^^^^^^^^^^^
This matches nearly everything: add what you want to hear of, e.g. project:qemu-devel -path:docs/\
"""),
    ),
    (
        "!pw sub stale:14 days",
        snapshot("""\
I cannot read this query, and nothing was changed:
stale:14days
^^^^^^^^^^^^
Nothing arrives when something becomes stale: add a digest, or look with find; e.g. stale:14days digest:"Mon-Fri 09:00"\
"""),
    ),
    (
        "!pw sub is:mine",
        snapshot("""\
I cannot read this query, and nothing was changed:
is:mine
^^^^^^^
is:mine needs addresses of yours, which you name with “me” in a direct chat. Here, name the submitter: from:jane@example.org\
"""),
    ),
    (
        "!pw subs",
        snapshot("""\
This room has 18 subscriptions
• 1 · path:migration/ — nothing since today 00:01
• 2 · path:hw/virtio/ -prefix:RFC — nothing since today 00:02
• 3 · path:migration/multifd/ — nothing since today 00:02
• 4 · path:docs/ — nothing since today 00:02
• 5 · maint:virtio — nothing since today 00:02
• 6 · maint:virtoi — nothing since today 00:02
• 7 · maint:Migration — nothing since today 00:02
• 8 · maint:Migration on:comment — tells of changes only
• 9 · state:merged path:migration/ — nothing since today 00:02
• 10 · state:accepted path:docs/ — nothing since today 00:02
• 11 · project:qemu path:hw/ — nothing since today 00:02
• 12 · server:ozlabs path:hw/ — nothing since today 00:02
• 13 · path:hw/ digest:"daily 09:00" — next today 09:00, nothing waiting
• 14 · path:hw/net/ digest:"Mon-Fri 09:00" — next today 09:00, nothing waiting
• 15 · path:hw/arm/ digest:"daily 20:00" — next today 20:00, nothing waiting
• 16 · path:hw/display/ — nothing since today 00:03
• 17 · subject:migration — nothing since today 00:03
• 18 · subject:qemu-devel — nothing since today 00:03
Change: !pw edit 1 QUERY · !pw unsub 1 · !pw mute 1 2h\
"""),
    ),
    (
        "!pw subscriptions",
        snapshot("""\
This room has 18 subscriptions
• 1 · path:migration/ — nothing since today 00:01
• 2 · path:hw/virtio/ -prefix:RFC — nothing since today 00:02
• 3 · path:migration/multifd/ — nothing since today 00:02
• 4 · path:docs/ — nothing since today 00:02
• 5 · maint:virtio — nothing since today 00:02
• 6 · maint:virtoi — nothing since today 00:02
• 7 · maint:Migration — nothing since today 00:02
• 8 · maint:Migration on:comment — tells of changes only
• 9 · state:merged path:migration/ — nothing since today 00:02
• 10 · state:accepted path:docs/ — nothing since today 00:02
• 11 · project:qemu path:hw/ — nothing since today 00:02
• 12 · server:ozlabs path:hw/ — nothing since today 00:02
• 13 · path:hw/ digest:"daily 09:00" — next today 09:00, nothing waiting
• 14 · path:hw/net/ digest:"Mon-Fri 09:00" — next today 09:00, nothing waiting
• 15 · path:hw/arm/ digest:"daily 20:00" — next today 20:00, nothing waiting
• 16 · path:hw/display/ — nothing since today 00:03
• 17 · subject:migration — nothing since today 00:03
• 18 · subject:qemu-devel — nothing since today 00:03
Change: !pw edit 1 QUERY · !pw unsub 1 · !pw mute 1 2h\
"""),
    ),
    (
        "!pw show my subscriptions",
        snapshot("""\
This room has 18 subscriptions
• 1 · path:migration/ — nothing since today 00:01
• 2 · path:hw/virtio/ -prefix:RFC — nothing since today 00:02
• 3 · path:migration/multifd/ — nothing since today 00:02
• 4 · path:docs/ — nothing since today 00:02
• 5 · maint:virtio — nothing since today 00:02
• 6 · maint:virtoi — nothing since today 00:02
• 7 · maint:Migration — nothing since today 00:02
• 8 · maint:Migration on:comment — tells of changes only
• 9 · state:merged path:migration/ — nothing since today 00:02
• 10 · state:accepted path:docs/ — nothing since today 00:02
• 11 · project:qemu path:hw/ — nothing since today 00:02
• 12 · server:ozlabs path:hw/ — nothing since today 00:02
• 13 · path:hw/ digest:"daily 09:00" — next today 09:00, nothing waiting
• 14 · path:hw/net/ digest:"Mon-Fri 09:00" — next today 09:00, nothing waiting
• 15 · path:hw/arm/ digest:"daily 20:00" — next today 20:00, nothing waiting
• 16 · path:hw/display/ — nothing since today 00:03
• 17 · subject:migration — nothing since today 00:03
• 18 · subject:qemu-devel — nothing since today 00:03
Change: !pw edit 1 QUERY · !pw unsub 1 · !pw mute 1 2h\
"""),
    ),
    (
        "!pw list subs please",
        snapshot("""\
This room has 18 subscriptions
• 1 · path:migration/ — nothing since today 00:01
• 2 · path:hw/virtio/ -prefix:RFC — nothing since today 00:02
• 3 · path:migration/multifd/ — nothing since today 00:02
• 4 · path:docs/ — nothing since today 00:02
• 5 · maint:virtio — nothing since today 00:02
• 6 · maint:virtoi — nothing since today 00:02
• 7 · maint:Migration — nothing since today 00:02
• 8 · maint:Migration on:comment — tells of changes only
• 9 · state:merged path:migration/ — nothing since today 00:02
• 10 · state:accepted path:docs/ — nothing since today 00:02
• 11 · project:qemu path:hw/ — nothing since today 00:02
• 12 · server:ozlabs path:hw/ — nothing since today 00:02
• 13 · path:hw/ digest:"daily 09:00" — next today 09:00, nothing waiting
• 14 · path:hw/net/ digest:"Mon-Fri 09:00" — next today 09:00, nothing waiting
• 15 · path:hw/arm/ digest:"daily 20:00" — next today 20:00, nothing waiting
• 16 · path:hw/display/ — nothing since today 00:03
• 17 · subject:migration — nothing since today 00:03
• 18 · subject:qemu-devel — nothing since today 00:03
Change: !pw edit 1 QUERY · !pw unsub 1 · !pw mute 1 2h\
"""),
    ),
    (
        "↩!pw why",
        snapshot("""\
This card came because of:
• 1: path:migration/, added by @ann:hs on 2026-01-13 — path:migration/ matches migration/ram.c
• 7: maint:Migration, added by @ann:hs on 2026-01-13 — maint:Migration matches Migration (F: migration/ covers migration/ram.c)
• 17: subject:migration, added by @ann:hs on 2026-01-13 — subject:migration matches Migration of a card\
"""),
    ),
    (
        "↩!pw why?",
        snapshot("""\
This card came because of:
• 1: path:migration/, added by @ann:hs on 2026-01-13 — path:migration/ matches migration/ram.c
• 7: maint:Migration, added by @ann:hs on 2026-01-13 — maint:Migration matches Migration (F: migration/ covers migration/ram.c)
• 17: subject:migration, added by @ann:hs on 2026-01-13 — subject:migration matches Migration of a card\
"""),
    ),
    (
        "↩!pw show",
        snapshot("""\
🆕 Migration of a card
New · no reviews yet
Ada Sample · 2026-01-13
https://patchwork.example.org/project/qemu-devel/patch/20260113000420.13-1-ada@example.org/
• migration/ram.c +1 −1
b4 shazam 20260113000420.13-1-ada@example.org
git-pw patch apply 19\
"""),
    ),
    (
        "↩!pw diff",
        snapshot("""\
Migration of a card
https://patchwork.example.org/project/qemu-devel/patch/20260113000420.13-1-ada@example.org/
+1 −1 in 1 file
diff --git a/migration/ram.c b/migration/ram.c
index 6efe6c892187..b53dee67baea 100644
--- a/migration/ram.c
+++ b/migration/ram.c
@@ -1,3 +1,3 @@
 before
-old line
+new line
 after\
"""),
    ),
    (
        "↩!pw checks please",
        snapshot("""\
Migration of a card
https://patchwork.example.org/project/qemu-devel/patch/20260113000420.13-1-ada@example.org/
No checks yet.\
"""),
    ),
    (
        "↩!pw comments",
        snapshot("""\
Migration of a card
https://patchwork.example.org/project/qemu-devel/patch/20260113000420.13-1-ada@example.org/
No comments yet.\
"""),
    ),
    ("↩!pw thanks!", snapshot("(reaction) 👍")),
    (
        "!pw why",
        snapshot("Reply to a card with that, or type it in its thread: then I can say which subscription brought it."),
    ),
    (
        "!pw edit 2",
        snapshot("""\
Subscription 2 is: path:hw/virtio/ -prefix:RFC
Type the whole new query, for example: !pw edit 2 path:hw/virtio/ -prefix:RFC\
"""),
    ),
    (
        "!pw edit 2 path:hw/virtio/,hw/net/",
        snapshot("""\
Subscription 2 is now: path:hw/virtio/,hw/net/
About 2 series a week, counted since 2026-01-01.
Undo: !pw edit 2 path:hw/virtio/ -prefix:RFC\
"""),
    ),
    (
        "!pw edit path:hw/",
        snapshot(
            "“path:hw/” is not the number of a subscription. Usage: !pw edit ID QUERY — for example: !pw edit 7 path:migration/,hw/"
        ),
    ),
    (
        "!pw unsub",
        snapshot("""\
Which one?
1: path:migration/
2: path:hw/virtio/,hw/net/
3: path:migration/multifd/
4: path:docs/
5: maint:virtio
6: maint:virtoi
7: maint:Migration
8: maint:Migration on:comment
9: state:merged path:migration/
10: state:accepted path:docs/
… and 8 more: !pw subs
Type for example: !pw unsub 1\
"""),
    ),
    (
        "!pw unsub #3",
        snapshot("""\
Subscription 3 has ended.
Undo: !pw sub path:migration/multifd/\
"""),
    ),
    (
        "!pw unsub path:docs/",
        snapshot("""\
Subscription 4 has ended.
Undo: !pw sub path:docs/\
"""),
    ),
    (
        "!pw unsub 99",
        snapshot("""\
This room has no subscription 99.
1: path:migration/
2: path:hw/virtio/,hw/net/
5: maint:virtio
6: maint:virtoi
7: maint:Migration
8: maint:Migration on:comment
9: state:merged path:migration/
10: state:accepted path:docs/
11: project:qemu path:hw/
12: server:ozlabs path:hw/
… and 6 more: !pw subs
Type for example: !pw unsub 1\
"""),
    ),
    (
        "!pw remove 4.",
        snapshot("""\
This room has no subscription 4.
1: path:migration/
2: path:hw/virtio/,hw/net/
5: maint:virtio
6: maint:virtoi
7: maint:Migration
8: maint:Migration on:comment
9: state:merged path:migration/
10: state:accepted path:docs/
11: project:qemu path:hw/
12: server:ozlabs path:hw/
… and 6 more: !pw subs
Type for example: !pw unsub 1\
"""),
    ),
    (
        "!pw unsubscribe from path:migration/multifd/",
        snapshot("""\
This room has no subscription to “path:migration/multifd/”.
1: path:migration/
2: path:hw/virtio/,hw/net/
5: maint:virtio
6: maint:virtoi
7: maint:Migration
8: maint:Migration on:comment
9: state:merged path:migration/
10: state:accepted path:docs/
11: project:qemu path:hw/
12: server:ozlabs path:hw/
… and 6 more: !pw subs
Type for example: !pw unsub 1\
"""),
    ),
    (
        "!pw unsub all",
        snapshot("""\
Subscriptions end one at a time, for example: !pw unsub 1
To pause all of them instead: !pw mute\
"""),
    ),
    (
        "!pw mute for an hour",
        snapshot("""\
Everything in this room is muted until today 01:06 (UTC).
What arrives until then is not posted, not even later.
Undo: !pw unmute\
"""),
    ),
    (
        "!pw mute 1 for 2 hours",
        snapshot("""\
Subscription 1 is muted until today 02:07 (UTC).
What arrives until then is not posted, not even later.
Undo: !pw unmute 1\
"""),
    ),
    (
        "!pw Mute 1 7 days",
        snapshot("""\
Subscription 1 is muted until Tue 2026-01-20 00:07 (UTC).
What arrives until then is not posted, not even later.
Undo: !pw mute 1 2h\
"""),
    ),
    (
        "!pw mute everything",
        snapshot("""\
Everything in this room is muted until it is unmuted.
What arrives until then is not posted, not even later.
Undo: !pw mute 1h\
"""),
    ),
    (
        "!pw subs",
        snapshot("""\
This room has 16 subscriptions
• 2 · path:hw/virtio/,hw/net/ — nothing since today 00:02
• 5 · maint:virtio — nothing since today 00:02
• 6 · maint:virtoi — nothing since today 00:02
• 7 · maint:Migration — 1 series since today 00:02, last today 00:05
• 8 · maint:Migration on:comment — tells of changes only
• 9 · state:merged path:migration/ — nothing since today 00:02
• 10 · state:accepted path:docs/ — nothing since today 00:02
• 11 · project:qemu path:hw/ — nothing since today 00:02
• 12 · server:ozlabs path:hw/ — nothing since today 00:02
• 13 · path:hw/ digest:"daily 09:00" — next today 09:00, nothing waiting
• 14 · path:hw/net/ digest:"Mon-Fri 09:00" — next today 09:00, nothing waiting
• 15 · path:hw/arm/ digest:"daily 20:00" — next today 20:00, nothing waiting
• 16 · path:hw/display/ — nothing since today 00:03
• 17 · subject:migration — 1 series since today 00:03, last today 00:05
• 18 · subject:qemu-devel — nothing since today 00:03
⏸️ Muted:
• 1 · path:migration/ until Tue 2026-01-20 00:07 (UTC)
⏸️ Everything here is muted until it is unmuted.
Change: !pw edit 1 QUERY · !pw unsub 1 · !pw mute 1 2h\
"""),
    ),
    (
        "!pw mute soon",
        snapshot(
            "“soon” is not the number of a subscription or a duration; try 30m, 2h or 7d. Usage: !pw mute [ID] [2h] — for example: !pw mute 7 2h"
        ),
    ),
    (
        "!pw unmute all",
        snapshot("""\
Everything in this room is no longer muted; what arrives from now on is posted.
Undo: !pw mute\
"""),
    ),
    ("!pw unmute", snapshot("Nothing was changed: subscription 1 is muted. To end that, type: !pw unmute 1")),
    (
        "!pw unmute 1",
        snapshot("""\
Subscription 1 is no longer muted; what arrives from now on is posted.
Undo: !pw mute 1 1w\
"""),
    ),
    (
        "!pw set",
        snapshot("""\
• project is none — the project that queries without "project:" are about (the name of a project, or none)
• mode is card — how new series are shown (card, or compact (two lines))
• timezone is UTC — the zone of all times that I show or am told here (a name such as Europe/Berlin)
• flood is 10 — more new series than this at once become one message with a list (1 to 100000, or 0 for never)
• unfurl is on — whether I answer links to patches that people paste with a line about each (on or off)
Change one: !pw set timezone Europe/Berlin\
"""),
    ),
    (
        "!pw set timezone",
        snapshot("""\
!pw set timezone Europe/Berlin — the zone of all times that I show or am told here: a name such as Europe/Berlin.
Without it: UTC. Now: !pw settings\
"""),
    ),
    (
        "!pw set timezone Berlin",
        snapshot("""\
timezone is now Europe/Berlin (was UTC).
Next digest: Tue 2026-01-13 09:00 Europe/Berlin.
Undo: !pw set timezone UTC\
"""),
    ),
    (
        "!pw set tz to Europe/Paris",
        snapshot("""\
timezone is now Europe/Paris (was Europe/Berlin).
Next digest: Tue 2026-01-13 09:00 Europe/Paris.
Undo: !pw set timezone Europe/Berlin\
"""),
    ),
    (
        "!pw set time zone CET",
        snapshot(
            "“CET” does not say when summer time begins and ends. Type a zone such as Europe/Berlin or Europe/Paris."
        ),
    ),
    (
        "!pw set flood=20",
        snapshot("""\
flood is now 20 (was 10).
Undo: !pw set flood 10\
"""),
    ),
    ("!pw set flood lots", snapshot("flood is a number from 0 to 100000, not “lots”.")),
    (
        "!pw set mode short",
        snapshot("""\
mode is now compact (was card).
Undo: !pw set mode card\
"""),
    ),
    (
        "!pw set colour red",
        snapshot("There is no setting “colour”. Known: project, mode, timezone, notify, flood, nudge, unfurl."),
    ),
    ("!pw set notify off", snapshot("notify only applies to direct chats; cards in rooms never notify.")),
    (
        "!pw timezone UTC",
        snapshot("""\
timezone is now UTC (was Europe/Paris).
Next digest: Tue 2026-01-13 09:00 UTC.
Undo: !pw set timezone Europe/Paris\
"""),
    ),
    (
        "!pw settings",
        snapshot("""\
• project is none — the project that queries without "project:" are about (the name of a project, or none)
• mode is compact — how new series are shown (card, or compact (two lines))
• timezone is UTC — the zone of all times that I show or am told here (a name such as Europe/Berlin)
• flood is 20 — more new series than this at once become one message with a list (1 to 100000, or 0 for never)
• unfurl is on — whether I answer links to patches that people paste with a line about each (on or off)
Change one: !pw set timezone Europe/Berlin\
"""),
    ),
    (
        "!pw settings?",
        snapshot("""\
• project is none — the project that queries without "project:" are about (the name of a project, or none)
• mode is compact — how new series are shown (card, or compact (two lines))
• timezone is UTC — the zone of all times that I show or am told here (a name such as Europe/Berlin)
• flood is 20 — more new series than this at once become one message with a list (1 to 100000, or 0 for never)
• unfurl is on — whether I answer links to patches that people paste with a line about each (on or off)
Change one: !pw set timezone Europe/Berlin\
"""),
    ),
    (
        "!pw status",
        snapshot("""\
🟢 All well · patchbot VERSION, up 12 days
• 🟢 sample — qemu-devel, looked 0 s ago
This room: 16 subscriptions, 1 card in 7 days, nothing waiting\
"""),
    ),
    (
        "!pw Status!",
        snapshot("""\
🟢 All well · patchbot VERSION, up 12 days
• 🟢 sample — qemu-devel, looked 0 s ago
This room: 16 subscriptions, 1 card in 7 days, nothing waiting\
"""),
    ),
    (
        "!pw are you working?",
        snapshot("""\
🟢 All well · patchbot VERSION, up 12 days
• 🟢 sample — qemu-devel, looked 0 s ago
This room: 16 subscriptions, 1 card in 7 days, nothing waiting\
"""),
    ),
    (
        "!pw test path:migration/ 7 days",
        snapshot("""\
5 series in 7 days for path:migration/
By day: 2026-01-13: 1 · 2026-01-12: 1 · 2026-01-11: 1 · 2026-01-09: 1 · 2026-01-08: 1
• Migration of a card <https://patchwork.example.org/project/qemu-devel/list/?series=13&state=*&archive=both> · Ada Sample · 2026-01-13 · qemu-devel
• Change number 11 <https://patchwork.example.org/project/qemu-devel/list/?series=11&state=*&archive=both> · Ada Sample · 2026-01-11 · qemu-devel
• Change number 10 <https://patchwork.example.org/project/qemu-devel/list/?series=10&state=*&archive=both> · Ada Sample · 2026-01-10 · qemu-devel
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.
Subscribe: !pw sub path:migration/\
"""),
    ),
    (
        "!pw test path:migration/ for the last two weeks",
        snapshot("""\
9 series in 14 days for path:migration/
By day: 2026-01-13: 1 · 2026-01-12: 1 · 2026-01-11: 1 · 2026-01-09: 1 · 2026-01-08: 1 · 2026-01-06: 1 · 2026-01-05: 1 · 2026-01-03: 1 · 2026-01-02: 1
• Migration of a card <https://patchwork.example.org/project/qemu-devel/list/?series=13&state=*&archive=both> · Ada Sample · 2026-01-13 · qemu-devel
• Change number 11 <https://patchwork.example.org/project/qemu-devel/list/?series=11&state=*&archive=both> · Ada Sample · 2026-01-11 · qemu-devel
• Change number 10 <https://patchwork.example.org/project/qemu-devel/list/?series=10&state=*&archive=both> · Ada Sample · 2026-01-10 · qemu-devel
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.
Subscribe: !pw sub path:migration/\
"""),
    ),
    (
        "!pw test maint:Migration",
        snapshot("""\
5 series in 7 days for maint:Migration
By day: 2026-01-13: 1 · 2026-01-12: 1 · 2026-01-11: 1 · 2026-01-09: 1 · 2026-01-08: 1
• Migration of a card <https://patchwork.example.org/project/qemu-devel/list/?series=13&state=*&archive=both> · Ada Sample · 2026-01-13 · qemu-devel
• Change number 11 <https://patchwork.example.org/project/qemu-devel/list/?series=11&state=*&archive=both> · Ada Sample · 2026-01-11 · qemu-devel
• Change number 10 <https://patchwork.example.org/project/qemu-devel/list/?series=10&state=*&archive=both> · Ada Sample · 2026-01-10 · qemu-devel
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.
Subscribe: !pw sub maint:Migration\
"""),
    ),
    (
        "!pw test state:merged",
        snapshot("""\
Nothing in 7 days for state:merged
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.
Note: sample has no state merged; did you mean state:accepted? Known: accepted, awaiting-upstream, changes-requested, deferred, new, not-applicable, rejected, rfc, superseded, under-review.
Subscribe: !pw sub state:merged\
"""),
    ),
    (
        "!pw test path:nothing/here/ 1w",
        snapshot("""\
Nothing in 7 days for path:nothing/here/
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.
Subscribe: !pw sub path:nothing/here/\
"""),
    ),
    (
        "!pw test stale:14d",
        snapshot("test looks at what arrived; for what is stale now, use find with the same query."),
    ),
    (
        "!pw find path:migration/",
        snapshot("""\
9 matches for path:migration/
• #1 Migration of a card <https://patchwork.example.org/project/qemu-devel/list/?series=13&state=*&archive=both> · Ada Sample · 2026-01-13 · New
• #2 Change number 11 <https://patchwork.example.org/project/qemu-devel/list/?series=11&state=*&archive=both> · Ada Sample · 2026-01-11 · New
• #3 Change number 10 <https://patchwork.example.org/project/qemu-devel/list/?series=10&state=*&archive=both> · Ada Sample · 2026-01-10 · New
• #4 Change number 8 <https://patchwork.example.org/project/qemu-devel/list/?series=8&state=*&archive=both> · Ada Sample · 2026-01-08 · New
• #5 Change number 7 <https://patchwork.example.org/project/qemu-devel/list/?series=7&state=*&archive=both> · Ada Sample · 2026-01-07 · New
• #6 Change number 5 <https://patchwork.example.org/project/qemu-devel/list/?series=5&state=*&archive=both> · Ada Sample · 2026-01-05 · New
• #7 Change number 4 <https://patchwork.example.org/project/qemu-devel/list/?series=4&state=*&archive=both> · Ada Sample · 2026-01-04 · New
• #8 Change number 2 <https://patchwork.example.org/project/qemu-devel/list/?series=2&state=*&archive=both> · Ada Sample · 2026-01-02 · New
• #9 Change number 1 <https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both> · Ada Sample · 2026-01-01 · New
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.\
"""),
    ),
    (
        "!pw find from ada",
        snapshot("""\
The newest 10 matches for from:ada
• #1 Migration of a card <https://patchwork.example.org/project/qemu-devel/list/?series=13&state=*&archive=both> · Ada Sample · 2026-01-13 · New
• #2 Change number 12 <https://patchwork.example.org/project/qemu-devel/list/?series=12&state=*&archive=both> · Ada Sample · 2026-01-12 · New
• #3 Change number 11 <https://patchwork.example.org/project/qemu-devel/list/?series=11&state=*&archive=both> · Ada Sample · 2026-01-11 · New
• #4 Change number 10 <https://patchwork.example.org/project/qemu-devel/list/?series=10&state=*&archive=both> · Ada Sample · 2026-01-10 · New
• #5 Change number 9 <https://patchwork.example.org/project/qemu-devel/list/?series=9&state=*&archive=both> · Ada Sample · 2026-01-09 · New
• #6 Change number 8 <https://patchwork.example.org/project/qemu-devel/list/?series=8&state=*&archive=both> · Ada Sample · 2026-01-08 · New
• #7 Change number 7 <https://patchwork.example.org/project/qemu-devel/list/?series=7&state=*&archive=both> · Ada Sample · 2026-01-07 · New
• #8 Change number 6 <https://patchwork.example.org/project/qemu-devel/list/?series=6&state=*&archive=both> · Ada Sample · 2026-01-06 · New
• #9 Change number 5 <https://patchwork.example.org/project/qemu-devel/list/?series=5&state=*&archive=both> · Ada Sample · 2026-01-05 · New
• #10 Change number 4 <https://patchwork.example.org/project/qemu-devel/list/?series=4&state=*&archive=both> · Ada Sample · 2026-01-04 · New
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.\
"""),
    ),
    (
        "!pw search state:merged",
        snapshot("""\
Nothing matches state:merged
Note: sample has no state merged; did you mean state:accepted? Known: accepted, awaiting-upstream, changes-requested, deferred, new, not-applicable, rejected, rfc, superseded, under-review.
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.\
"""),
    ),
    (
        "!pw find project:linux path:net/",
        snapshot("""\
Nothing matches project:linux path:net/
Note: project:linux is not watched; watched: qemu-devel.
No watched project matches this query, or none has been read yet.\
"""),
    ),
    (
        "!pw find stale:5d path:docs/",
        snapshot("""\
2 matches for stale:5d path:docs/
• #1 Change number 6 <https://patchwork.example.org/project/qemu-devel/list/?series=6&state=*&archive=both> · Ada Sample · 2026-01-06 · New
• #2 Change number 3 <https://patchwork.example.org/project/qemu-devel/list/?series=3&state=*&archive=both> · Ada Sample · 2026-01-03 · New
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.\
"""),
    ),
    (
        "!pw find text:kmalloc",
        snapshot("text: cannot search past patches, whose text is not stored. Try subject: or path:."),
    ),
    (
        "!pw find maint:Nobody",
        snapshot("""\
Nothing matches maint:Nobody
Note: maint:Nobody is not a section of MAINTAINERS; only the configured files are read.
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.\
"""),
    ),
    (
        "!pw show 4",
        snapshot("""\
🆕 Change number 3
New · no reviews yet
Ada Sample · 2026-01-03
https://patchwork.example.org/project/qemu-devel/patch/20260103235900.3-1-ada@example.org/
• docs/devel/index.rst +1 −1
b4 shazam 20260103235900.3-1-ada@example.org
git-pw patch apply 4\
"""),
    ),
    (
        "!pw show #4",
        snapshot("""\
🆕 Change number 3
New · no reviews yet
Ada Sample · 2026-01-03
https://patchwork.example.org/project/qemu-devel/patch/20260103235900.3-1-ada@example.org/
• docs/devel/index.rst +1 −1
b4 shazam 20260103235900.3-1-ada@example.org
git-pw patch apply 4\
"""),
    ),
    (
        "!pw show patch 4",
        snapshot("""\
🆕 Change number 3
New · no reviews yet
Ada Sample · 2026-01-03
https://patchwork.example.org/project/qemu-devel/patch/20260103235900.3-1-ada@example.org/
• docs/devel/index.rst +1 −1
b4 shazam 20260103235900.3-1-ada@example.org
git-pw patch apply 4\
"""),
    ),
    (
        "!pw show series 2",
        snapshot("""\
🆕 [0/2] Change number 2
New · no reviews yet
Ada Sample · 2 patches · +4 −4 in hw/virtio/, migration/
https://patchwork.example.org/project/qemu-devel/list/?series=2&state=*&archive=both
• 1/2 Change number 2, part 1
• 2/2 Change number 2, part 2
b4 shazam 20260102235900.2-0-ada@example.org
git-pw series apply 2\
"""),
    ),
    (
        "!pw show {msgid}",
        snapshot("""\
🆕 Migration of a card
New · no reviews yet
Ada Sample · 2026-01-13
https://patchwork.example.org/project/qemu-devel/patch/20260113000420.13-1-ada@example.org/
• migration/ram.c +1 −1
b4 shazam 20260113000420.13-1-ada@example.org
git-pw patch apply 19\
"""),
    ),
    (
        "!pw show <{msgid}>",
        snapshot("""\
🆕 Migration of a card
New · no reviews yet
Ada Sample · 2026-01-13
https://patchwork.example.org/project/qemu-devel/patch/20260113000420.13-1-ada@example.org/
• migration/ram.c +1 −1
b4 shazam 20260113000420.13-1-ada@example.org
git-pw patch apply 19\
"""),
    ),
    (
        "!pw Message-Id: <{msgid}>",
        snapshot("""\
🆕 Migration of a card
New · no reviews yet
Ada Sample · 2026-01-13
https://patchwork.example.org/project/qemu-devel/patch/20260113000420.13-1-ada@example.org/
• migration/ram.c +1 −1
b4 shazam 20260113000420.13-1-ada@example.org
git-pw patch apply 19\
"""),
    ),
    (
        "!pw b4 am {msgid}",
        snapshot("""\
🆕 Migration of a card
New · no reviews yet
Ada Sample · 2026-01-13
https://patchwork.example.org/project/qemu-devel/patch/20260113000420.13-1-ada@example.org/
• migration/ram.c +1 −1
b4 shazam 20260113000420.13-1-ada@example.org
git-pw patch apply 19\
"""),
    ),
    (
        "!pw show https://lore.kernel.org/qemu-devel/{msgid}/",
        snapshot("""\
🆕 Migration of a card
New · no reviews yet
Ada Sample · 2026-01-13
https://patchwork.example.org/project/qemu-devel/patch/20260113000420.13-1-ada@example.org/
• migration/ram.c +1 −1
b4 shazam 20260113000420.13-1-ada@example.org
git-pw patch apply 19\
"""),
    ),
    (
        "!pw https://patchwork.example.org/patch/4/",
        snapshot("""\
🆕 Change number 3
New · no reviews yet
Ada Sample · 2026-01-03
https://patchwork.example.org/project/qemu-devel/patch/20260103235900.3-1-ada@example.org/
• docs/devel/index.rst +1 −1
b4 shazam 20260103235900.3-1-ada@example.org
git-pw patch apply 4\
"""),
    ),
    ("!pw show 99999", snapshot("There is no patch or series 99999 on sample.")),
    (
        "!pw show ozlabs:4",
        snapshot("""\
There is no server “ozlabs” here.
Watched: sample (patchwork.example.org).\
"""),
    ),
    (
        "!pw show me the patch",
        snapshot("""\
Which one? Name it, or type this in reply to a card.
Example: !pw show 2194095\
"""),
    ),
    (
        "!pw series 4",
        snapshot("""\
🆕 [0/2] Change number 4
New · no reviews yet
Ada Sample · 2 patches · +2 −2 in migration/
https://patchwork.example.org/project/qemu-devel/list/?series=4&state=*&archive=both
• 1/2 Change number 4, part 1
• 2/2 Change number 4, part 2
b4 shazam 20260104235900.4-0-ada@example.org
git-pw series apply 4\
"""),
    ),
    (
        "!pw diff patch 4",
        snapshot("""\
Change number 3
https://patchwork.example.org/project/qemu-devel/patch/20260103235900.3-1-ada@example.org/
+1 −1 in 1 file
diff --git a/docs/devel/index.rst b/docs/devel/index.rst
index 7c1ad27ad8de..69ac6582ab0a 100644
--- a/docs/devel/index.rst
+++ b/docs/devel/index.rst
@@ -1,3 +1,3 @@
 before
-old line
+new line
 after\
"""),
    ),
    (
        "!pw checks of 4",
        snapshot("""\
Change number 3
https://patchwork.example.org/project/qemu-devel/patch/20260103235900.3-1-ada@example.org/
No checks yet.\
"""),
    ),
    (
        "!pw comments on #4",
        snapshot("""\
Change number 3
https://patchwork.example.org/project/qemu-devel/patch/20260103235900.3-1-ada@example.org/
No comments yet.\
"""),
    ),
    ("!pw thank you", snapshot("(reaction) 👍")),
    ("!pw 👍", snapshot("(reaction) 👍")),
    (
        "!pw please",
        snapshot("""\
Most wanted
• !pw sub path:drivers/net/ — post series that touch these files
• !pw test path:drivers/net/ 7d — what that would have brought
• !pw subs · !pw unsub 7 · !pw mute 2h
• !pw show https://lore.kernel.org/… — look one up; in reply to a card: !pw diff, !pw checks, !pw comments, !pw why
• !pw status — whether all is well
Everything: !pw help all · queries: !pw help query · one word: !pw help digest\
"""),
    ),
    ("!pw sbu path:hw/", snapshot("I do not know the command “sbu”. Did you mean “sub”?")),
    (
        "!pw path:hw/",
        snapshot(
            "What should I do with that query? To post what matches: !pw sub path:hw/ · to look at what came so far: !pw find path:hw/"
        ),
    ),
    ("!pw unsubscrbe 1", snapshot("I do not know the command “unsubscrbe”. Did you mean “unsub”?")),
    ("!pw version", snapshot("patchwork-matrix-bot VERSION")),
    ("!pw rooms", snapshot("That is only for the bot's admins.")),
    ("!pw leave #qemu-migration:hs", snapshot("That is only for the bot's admins.")),
    ("!pw me ada@example.org", snapshot("Your addresses are between you and me: type that in a direct chat.")),
    (
        "!pw follow",
        snapshot("""\
Which one? Name it, or type this in reply to a card.
Example: !pw follow 2194095\
"""),
    ),
    (
        "!pw follow 3",
        snapshot("""\
👀 You follow Change number 3
Its state, checks that get worse, reviews, comments and later versions come to a direct chat with me. You have none: start one, and they come there from then on.
Undo: !pw unfollow 3\
"""),
    ),
    (
        "!pw follow path:migration/",
        snapshot(
            "follow is about one patch or series. To post each new series that matches, type: !pw sub path:migration/"
        ),
    ),
    (
        "!pw follows",
        snapshot("""\
You follow 1 submission
• 3 · Change number 3 · New
Changes and later versions come to a direct chat with me. You have none: start one, and they come there from then on.
End one: !pw unfollow 3\
"""),
    ),
    (
        "!pw following",
        snapshot("""\
You follow 1 submission
• 3 · Change number 3 · New
Changes and later versions come to a direct chat with me. You have none: start one, and they come there from then on.
End one: !pw unfollow 3\
"""),
    ),
    (
        "!pw unfollow 3",
        snapshot("""\
You no longer follow Change number 3
Undo: !pw follow 3\
"""),
    ),
    ("!pw unfollow 3", snapshot("You do not follow that. What you follow: !pw follows")),
    ("!pw unfollow 99", snapshot("There is no patch or series 99 on sample.")),
    (
        "↩!pw follow",
        snapshot("""\
👀 You follow Migration of a card
Its state, checks that get worse, reviews, comments and later versions come to a direct chat with me. You have none: start one, and they come there from then on.
Undo: !pw unfollow 13\
"""),
    ),
    ("↩!pw follow this", snapshot("You follow that already; nothing was changed.")),
    (
        "↩!pw unfollow it please",
        snapshot("""\
You no longer follow Migration of a card
Undo: !pw follow 13\
"""),
    ),
    (
        "!pw track {msgid}",
        snapshot("""\
👀 You follow Migration of a card
Its state, checks that get worse, reviews, comments and later versions come to a direct chat with me. You have none: start one, and they come there from then on.
Undo: !pw unfollow 13\
"""),
    ),
    (
        "!pw snooze",
        snapshot("Nothing is snoozed here. To take something out of the queue for a while: !pw snooze 2194095 2w"),
    ),
    (
        "!pw snooze 2h",
        snapshot("""\
Which one? Name it, or type this in reply to a card.
Example: !pw snooze 2194095 2w
To pause everything that I post here instead: !pw mute 2h\
"""),
    ),
    (
        "!pw snooze 3",
        snapshot("Until when? Say it after the patch or series, for example: 2w, until 2026-12-24, or until v7."),
    ),
    (
        "!pw snooze 3 2w",
        snapshot("""\
💤 Snoozed until Tue 2026-01-27 00:13 (UTC): Change number 3
It is out of this room's queues and stale lists, and comes back sooner if somebody comments on it or a new version comes.
Undo: !pw unsnooze 3\
"""),
    ),
    (
        "!pw snooze 3 for 2 weeks",
        snapshot("""\
💤 Snoozed until Tue 2026-01-27 00:13 (UTC): Change number 3
It is out of this room's queues and stale lists, and comes back sooner if somebody comments on it or a new version comes.
Undo: !pw snooze 3 until 2026-01-27 00:13\
"""),
    ),
    (
        "!pw snooze series 3 until friday",
        snapshot("""\
💤 Snoozed until Fri 2026-01-16 00:00 (UTC): Change number 3
It is out of this room's queues and stale lists, and comes back sooner if somebody comments on it or a new version comes.
Undo: !pw snooze 3 until 2026-01-27 00:13\
"""),
    ),
    (
        "!pw snooze 3 till tomorrow 9:00",
        snapshot("""\
💤 Snoozed until tomorrow 09:00 (UTC): Change number 3
It is out of this room's queues and stale lists, and comes back sooner if somebody comments on it or a new version comes.
Undo: !pw snooze 3 until 2026-01-16 00:00\
"""),
    ),
    (
        "!pw snooze 3 until 24.12.",
        snapshot("""\
💤 Snoozed until Thu 2026-12-24 00:00 (UTC): Change number 3
It is out of this room's queues and stale lists, and comes back sooner if somebody comments on it or a new version comes.
Undo: !pw snooze 3 until 2026-01-14 09:00\
"""),
    ),
    (
        "!pw snooze 3 until 12/24",
        snapshot("“12/24” may be one of two days. Type it as 2026-01-27, with the year first."),
    ),
    (
        "!pw snooze 3 until next friday",
        snapshot("“next friday” may be 2026-01-16 or 2026-01-23. Type the one that you mean."),
    ),
    (
        "!pw snooze 3 until v2",
        snapshot("""\
💤 Snoozed until v2 comes: Change number 3
It is out of this room's queues and stale lists, and comes back sooner if somebody comments on it.
Undo: !pw snooze 3 until 2026-12-24 00:00\
"""),
    ),
    (
        "!pw snooze 3 until the next version please",
        snapshot("""\
💤 Snoozed until v2 comes: Change number 3
It is out of this room's queues and stale lists, and comes back sooner if somebody comments on it.
Undo: !pw snooze 3 until v2\
"""),
    ),
    (
        "!pw snoozed",
        snapshot("""\
💤 1 submission snoozed here
• 3 · Change number 3 — until v2, by @ann:hs
End one: !pw unsnooze 3\
"""),
    ),
    (
        "!pw snooze 3 off",
        snapshot("""\
No longer snoozed: Change number 3
Undo: !pw snooze 3 until v2\
"""),
    ),
    ("!pw unsnooze 3", snapshot("That is not snoozed here. What is: !pw snooze")),
    (
        "↩!pw snooze 2w",
        snapshot("""\
💤 Snoozed until Tue 2026-01-27 00:14 (UTC): Migration of a card
It is out of this room's queues and stale lists, and comes back sooner if somebody comments on it or a new version comes.
Undo: !pw unsnooze 13\
"""),
    ),
    (
        "↩!pw snooze until v7",
        snapshot("""\
💤 Snoozed until v7 comes: Migration of a card
It is out of this room's queues and stale lists, and comes back sooner if somebody comments on it.
Undo: !pw snooze 13 until 2026-01-27 00:14\
"""),
    ),
    (
        "↩!pw unsnooze",
        snapshot("""\
No longer snoozed: Migration of a card
Undo: !pw snooze 13 until v7\
"""),
    ),
    (
        "!pw remind me in 2 weeks",
        snapshot("""\
Which one? Name it, or type this in reply to a card.
Example: !pw snooze 2194095 2w
To pause everything that I post here instead: !pw mute me in 2 weeks\
"""),
    ),
    (
        "!pw help snooze",
        snapshot("""\
!pw snooze [REF 2w|until DATE|until v7] — keep a patch or series out of the queues here until then; alone: list them
It is back by itself, before its time if somebody comments on it or a new version comes. Until then it is in no stale list either. Days are in the zone of set timezone.
Example: !pw snooze 2194095 2w · also: snoozed, snoozes, remind
In a room, only moderators may (power level 50, or what the room sets for org.patchbot.subscription).\
"""),
    ),
    (
        "!pw help follow",
        snapshot("""\
!pw follow REF — post to your direct chat what happens to a patch or a series, and its later versions
The reaction 👀 to a card means the same. The news: states, checks that get worse, reviews, comments.
REF is an id, server:id, message-id or link; in reply to a card, it may be left out.
Example: !pw follow 2194095 · also: track\
"""),
    ),
    (
        "!pw how do I follow a series?",
        snapshot("""\
!pw follow REF — post to your direct chat what happens to a patch or a series, and its later versions
The reaction 👀 to a card means the same. The news: states, checks that get worse, reviews, comments.
REF is an id, server:id, message-id or link; in reply to a card, it may be left out.
Example: !pw follow 2194095 · also: track\
"""),
    ),
    (
        "!pw how do I hide a series for a while?",
        snapshot("""\
!pw snooze [REF 2w|until DATE|until v7] — keep a patch or series out of the queues here until then; alone: list them
It is back by itself, before its time if somebody comments on it or a new version comes. Until then it is in no stale list either. Days are in the zone of set timezone.
Example: !pw snooze 2194095 2w · also: snoozed, snoozes, remind
In a room, only moderators may (power level 50, or what the room sets for org.patchbot.subscription).\
"""),
    ),
    ("!pw set nudge 21d", snapshot("nudge only applies to direct chats; it is about your own patches.")),
    (
        "↩!pw diff v5..v6",
        snapshot("Of this series I know v1, but not v6. Name both by id or link instead: !pw diff SERIES..SERIES"),
    ),
    (
        "↩!pw diff v2",
        snapshot("Of this series I know v1, but not v2. Name both by id or link instead: !pw diff SERIES..SERIES"),
    ),
    (
        "!pw diff v1..v2",
        snapshot("""\
Which one? Name it, or type this in reply to a card.
Example: !pw diff 2194095\
"""),
    ),
    (
        "!pw diff 1..2",
        snapshot("""\
[0/2] Change number 2
https://patchwork.example.org/project/qemu-devel/list/?series=2&state=*&archive=both
v1 → v1 (1 day): 2 new, 1 dropped
• − 1 Change number 1 · dropped
• + 1 Change number 2, part 1 · new
• + 2 Change number 2, part 2 · new\
"""),
    ),
    (
        "!pw diff 3 v1..v2",
        snapshot("Of this series I know v1, but not v2. Name both by id or link instead: !pw diff SERIES..SERIES"),
    ),
    (
        "!pw diff ..",
        snapshot(
            "Name both versions, in reply to a card or with the series, or two series by ids or links: !pw diff v5..v6 · !pw diff 2194095 v5..v6 · !pw diff 12..34"
        ),
    ),
    (
        "!pw range-diff foo..bar",
        snapshot(
            "Name both versions, in reply to a card or with the series, or two series by ids or links: !pw diff v5..v6 · !pw diff 2194095 v5..v6 · !pw diff 12..34"
        ),
    ),
    (
        "↩!pw also",
        snapshot("""\
Migration of a card
https://patchwork.example.org/project/qemu-devel/patch/20260113000420.13-1-ada@example.org/
4 other open submissions touch its file:
• [0/2] Change number 10 · Ada Sample · New · 1 file: migration/ram.c
• Change number 7 · Ada Sample · New · 1 file: migration/ram.c
• [0/2] Change number 4 · Ada Sample · New · 1 file: migration/ram.c
• Change number 1 · Ada Sample · New · 1 file: migration/ram.c\
"""),
    ),
    (
        "!pw also 3",
        snapshot("""\
[2/2] Change number 2, part 2
https://patchwork.example.org/project/qemu-devel/patch/20260102235900.2-2-ada@example.org/
3 other open submissions touch some of its 2 files:
• Change number 11 · Ada Sample · New · 2 files: hw/virtio/net.c, migration/vmstate.c
• [0/2] Change number 8 · Ada Sample · New · 2 files: hw/virtio/net.c, migration/vmstate.c
• Change number 5 · Ada Sample · New · 2 files: hw/virtio/net.c, migration/vmstate.c\
"""),
    ),
    (
        "!pw also patch 4 from 2",
        snapshot("""\
Change number 3
https://patchwork.example.org/project/qemu-devel/patch/20260103235900.3-1-ada@example.org/
3 other open submissions touch its file:
• Change number 9 · Ada Sample · New · 1 file: docs/devel/index.rst
• [0/2] Change number 6 · Ada Sample · New · 1 file: docs/devel/index.rst\
"""),
    ),
    (
        "!pw also show 3",
        snapshot("""\
🆕 [2/2] Change number 2, part 2
New · no reviews yet
Ada Sample · 2026-01-02 · +2 −2 in 2 files
in Change number 2 <https://patchwork.example.org/project/qemu-devel/list/?series=2&state=*&archive=both>
https://patchwork.example.org/project/qemu-devel/patch/20260102235900.2-2-ada@example.org/
• hw/virtio/net.c +1 −1
• migration/vmstate.c +1 −1
b4 shazam 20260102235900.2-2-ada@example.org
git-pw patch apply 3\
"""),
    ),
    (
        "!pw stats",
        snapshot("""\
90 days
Came: 13
Accepted of these: 0 (0 %)
Open now: 13
Median to first reply: not known · to acceptance: not known
Oldest open: Change number 1 <https://patchwork.example.org/project/qemu-devel/patch/20260101235900.1-1-ada@example.org/>, 11 days\
"""),
    ),
    (
        "!pw stats path:hw/ 3 weeks",
        snapshot("""\
21 days for path:hw/
Came: 4
Accepted of these: 0 (0 %)
Open now: 4
Median to first reply: not known · to acceptance: not known
Oldest open: [0/2] Change number 2 <https://patchwork.example.org/project/qemu-devel/list/?series=2&state=*&archive=both>, 10 days\
"""),
    ),
    ("!pw statistics 400d", snapshot("stats looks back between 1 and 180 days; try 90d, 12w or 30d.")),
    (
        "!pw overlaps nonsense",
        snapshot("""\
“nonsense” is not a patch id, a message-id or a link.
Example: !pw also 2194095\
"""),
    ),
    (
        "!pw queue",
        snapshot("""\
Queue: 9 to be reviewed
Needs review
• #1 Change number 1 <https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both> · Ada Sample · 11 days old · no reply for 11 days
• #2 [0/2] Change number 2 <https://patchwork.example.org/project/qemu-devel/list/?series=2&state=*&archive=both> · Ada Sample · 10 days old · no reply for 10 days
• #3 [0/2] Change number 4 <https://patchwork.example.org/project/qemu-devel/list/?series=4&state=*&archive=both> · Ada Sample · 8 days old · no reply for 8 days
• #4 Change number 5 <https://patchwork.example.org/project/qemu-devel/list/?series=5&state=*&archive=both> · Ada Sample · 7 days old · no reply for 7 days
• #5 Change number 7 <https://patchwork.example.org/project/qemu-devel/list/?series=7&state=*&archive=both> · Ada Sample · 5 days old · no reply for 5 days
• #6 [0/2] Change number 8 <https://patchwork.example.org/project/qemu-devel/list/?series=8&state=*&archive=both> · Ada Sample · 4 days old · no reply for 4 days
• #7 [0/2] Change number 10 <https://patchwork.example.org/project/qemu-devel/list/?series=10&state=*&archive=both> · Ada Sample · 2 days old · no reply for 2 days
• #8 Change number 11 <https://patchwork.example.org/project/qemu-devel/list/?series=11&state=*&archive=both> · Ada Sample · 1 day old · no reply for 1 day
• #9 Migration of a card <https://patchwork.example.org/project/qemu-devel/list/?series=13&state=*&archive=both> · Ada Sample · new · no reply yet\
"""),
    ),
    (
        "!pw my queue",
        snapshot("""\
Queue: 9 to be reviewed
Needs review
• #1 Change number 1 <https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both> · Ada Sample · 11 days old · no reply for 11 days
• #2 [0/2] Change number 2 <https://patchwork.example.org/project/qemu-devel/list/?series=2&state=*&archive=both> · Ada Sample · 10 days old · no reply for 10 days
• #3 [0/2] Change number 4 <https://patchwork.example.org/project/qemu-devel/list/?series=4&state=*&archive=both> · Ada Sample · 8 days old · no reply for 8 days
• #4 Change number 5 <https://patchwork.example.org/project/qemu-devel/list/?series=5&state=*&archive=both> · Ada Sample · 7 days old · no reply for 7 days
• #5 Change number 7 <https://patchwork.example.org/project/qemu-devel/list/?series=7&state=*&archive=both> · Ada Sample · 5 days old · no reply for 5 days
• #6 [0/2] Change number 8 <https://patchwork.example.org/project/qemu-devel/list/?series=8&state=*&archive=both> · Ada Sample · 4 days old · no reply for 4 days
• #7 [0/2] Change number 10 <https://patchwork.example.org/project/qemu-devel/list/?series=10&state=*&archive=both> · Ada Sample · 2 days old · no reply for 2 days
• #8 Change number 11 <https://patchwork.example.org/project/qemu-devel/list/?series=11&state=*&archive=both> · Ada Sample · 1 day old · no reply for 1 day
• #9 Migration of a card <https://patchwork.example.org/project/qemu-devel/list/?series=13&state=*&archive=both> · Ada Sample · new · no reply yet\
"""),
    ),
    (
        "!pw queue path:migration/",
        snapshot("""\
Queue: 9 to be reviewed
Needs review
• #1 Change number 1 <https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both> · Ada Sample · 11 days old · no reply for 11 days
• #2 [0/2] Change number 2 <https://patchwork.example.org/project/qemu-devel/list/?series=2&state=*&archive=both> · Ada Sample · 10 days old · no reply for 10 days
• #3 [0/2] Change number 4 <https://patchwork.example.org/project/qemu-devel/list/?series=4&state=*&archive=both> · Ada Sample · 8 days old · no reply for 8 days
• #4 Change number 5 <https://patchwork.example.org/project/qemu-devel/list/?series=5&state=*&archive=both> · Ada Sample · 7 days old · no reply for 7 days
• #5 Change number 7 <https://patchwork.example.org/project/qemu-devel/list/?series=7&state=*&archive=both> · Ada Sample · 5 days old · no reply for 5 days
• #6 [0/2] Change number 8 <https://patchwork.example.org/project/qemu-devel/list/?series=8&state=*&archive=both> · Ada Sample · 4 days old · no reply for 4 days
• #7 [0/2] Change number 10 <https://patchwork.example.org/project/qemu-devel/list/?series=10&state=*&archive=both> · Ada Sample · 2 days old · no reply for 2 days
• #8 Change number 11 <https://patchwork.example.org/project/qemu-devel/list/?series=11&state=*&archive=both> · Ada Sample · 1 day old · no reply for 1 day
• #9 Migration of a card <https://patchwork.example.org/project/qemu-devel/list/?series=13&state=*&archive=both> · Ada Sample · new · no reply yet\
"""),
    ),
    (
        "!pw queue failing",
        snapshot("""\
Nothing is open here that matches that.
In all projects: !pw find turn:failing\
"""),
    ),
    (
        "!pw queue turn:review",
        snapshot("""\
Queue: 9 to be reviewed
Needs review
• #1 Change number 1 <https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both> · Ada Sample · 11 days old · no reply for 11 days
• #2 [0/2] Change number 2 <https://patchwork.example.org/project/qemu-devel/list/?series=2&state=*&archive=both> · Ada Sample · 10 days old · no reply for 10 days
• #3 [0/2] Change number 4 <https://patchwork.example.org/project/qemu-devel/list/?series=4&state=*&archive=both> · Ada Sample · 8 days old · no reply for 8 days
• #4 Change number 5 <https://patchwork.example.org/project/qemu-devel/list/?series=5&state=*&archive=both> · Ada Sample · 7 days old · no reply for 7 days
• #5 Change number 7 <https://patchwork.example.org/project/qemu-devel/list/?series=7&state=*&archive=both> · Ada Sample · 5 days old · no reply for 5 days
• #6 [0/2] Change number 8 <https://patchwork.example.org/project/qemu-devel/list/?series=8&state=*&archive=both> · Ada Sample · 4 days old · no reply for 4 days
• #7 [0/2] Change number 10 <https://patchwork.example.org/project/qemu-devel/list/?series=10&state=*&archive=both> · Ada Sample · 2 days old · no reply for 2 days
• #8 Change number 11 <https://patchwork.example.org/project/qemu-devel/list/?series=11&state=*&archive=both> · Ada Sample · 1 day old · no reply for 1 day
• #9 Migration of a card <https://patchwork.example.org/project/qemu-devel/list/?series=13&state=*&archive=both> · Ada Sample · new · no reply yet\
"""),
    ),
    (
        "!pw what needs review?",
        snapshot("""\
Queue: 9 to be reviewed
Needs review
• #1 Change number 1 <https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both> · Ada Sample · 11 days old · no reply for 11 days
• #2 [0/2] Change number 2 <https://patchwork.example.org/project/qemu-devel/list/?series=2&state=*&archive=both> · Ada Sample · 10 days old · no reply for 10 days
• #3 [0/2] Change number 4 <https://patchwork.example.org/project/qemu-devel/list/?series=4&state=*&archive=both> · Ada Sample · 8 days old · no reply for 8 days
• #4 Change number 5 <https://patchwork.example.org/project/qemu-devel/list/?series=5&state=*&archive=both> · Ada Sample · 7 days old · no reply for 7 days
• #5 Change number 7 <https://patchwork.example.org/project/qemu-devel/list/?series=7&state=*&archive=both> · Ada Sample · 5 days old · no reply for 5 days
• #6 [0/2] Change number 8 <https://patchwork.example.org/project/qemu-devel/list/?series=8&state=*&archive=both> · Ada Sample · 4 days old · no reply for 4 days
• #7 [0/2] Change number 10 <https://patchwork.example.org/project/qemu-devel/list/?series=10&state=*&archive=both> · Ada Sample · 2 days old · no reply for 2 days
• #8 Change number 11 <https://patchwork.example.org/project/qemu-devel/list/?series=11&state=*&archive=both> · Ada Sample · 1 day old · no reply for 1 day
• #9 Migration of a card <https://patchwork.example.org/project/qemu-devel/list/?series=13&state=*&archive=both> · Ada Sample · new · no reply yet\
"""),
    ),
    (
        "!pw show #1",
        snapshot("""\
🆕 Change number 1
New · no reviews yet
Ada Sample · 2026-01-01
https://patchwork.example.org/project/qemu-devel/patch/20260101235900.1-1-ada@example.org/
• migration/ram.c +1 −1
b4 shazam 20260101235900.1-1-ada@example.org
git-pw patch apply 1\
"""),
    ),
    ("!pw queue 7", snapshot("That is page 7 of a shorter queue. From its beginning: !pw queue")),
    (
        "!pw queue turn:mine",
        snapshot("""\
I cannot read this query, and nothing was changed:
turn:mine
     ^^^^
turn: takes failing, author, ready or review.\
"""),
    ),
    (
        "!pw help turn:",
        snapshot("""\
turn:review — whose turn it is: failing, author, ready, review
failing: a check fails; author: the submitter has to answer; ready: all reviewed; review: the rest.
Only of what is open; only in !pw queue, !pw find, and subscriptions with digest:.
Try it: !pw sub turn:review digest:"Mon-Fri 09:00"\
"""),
    ),
]

# Somebody in a direct chat.
IN_A_DIRECT_CHAT: Lines = [
    (
        "Hi",
        snapshot("""\
Most wanted
• sub path:drivers/net/ — post series that touch these files
• test path:drivers/net/ 7d — what that would have brought
• me ada@example.org — what happens to the patches you send
• subs · unsub 7 · mute 2h
• show https://lore.kernel.org/… — look one up; in reply to a card: diff, checks, comments, why
Everything: help all · queries: help query · one word: help digest\
"""),
    ),
    (
        "hello there!",
        snapshot("""\
Most wanted
• sub path:drivers/net/ — post series that touch these files
• test path:drivers/net/ 7d — what that would have brought
• me ada@example.org — what happens to the patches you send
• subs · unsub 7 · mute 2h
• show https://lore.kernel.org/… — look one up; in reply to a card: diff, checks, comments, why
Everything: help all · queries: help query · one word: help digest\
"""),
    ),
    (
        "Help",
        snapshot("""\
Most wanted
• sub path:drivers/net/ — post series that touch these files
• test path:drivers/net/ 7d — what that would have brought
• me ada@example.org — what happens to the patches you send
• subs · unsub 7 · mute 2h
• show https://lore.kernel.org/… — look one up; in reply to a card: diff, checks, comments, why
Everything: help all · queries: help query · one word: help digest\
"""),
    ),
    (
        "/help",
        snapshot("""\
Most wanted
• sub path:drivers/net/ — post series that touch these files
• test path:drivers/net/ 7d — what that would have brought
• me ada@example.org — what happens to the patches you send
• subs · unsub 7 · mute 2h
• show https://lore.kernel.org/… — look one up; in reply to a card: diff, checks, comments, why
Everything: help all · queries: help query · one word: help digest\
"""),
    ),
    (
        "what can you do?",
        snapshot("""\
Most wanted
• sub path:drivers/net/ — post series that touch these files
• test path:drivers/net/ 7d — what that would have brought
• me ada@example.org — what happens to the patches you send
• subs · unsub 7 · mute 2h
• show https://lore.kernel.org/… — look one up; in reply to a card: diff, checks, comments, why
Everything: help all · queries: help query · one word: help digest\
"""),
    ),
    (
        "how do I follow my own patches?",
        snapshot("""\
me [ADDRESS] — in a direct chat: your mail addresses, or one more, whose patches you then hear of
An address that you add makes is:mine match its patches, and subscribes you to them.
Example: me ada@example.org · also: iam, whoami, i am, i'm
Only in a direct chat with me.
follow REF — post to your direct chat what happens to a patch or a series, and its later versions
The reaction 👀 to a card means the same. The news: states, checks that get worse, reviews, comments.
REF is an id, server:id, message-id or link; in reply to a card, it may be left out.
Example: follow 2194095 · also: track\
"""),
    ),
    (
        "How to stop this",
        snapshot("""\
unsub ID — end a subscription
subs lists the subscriptions, each with its number.
Example: unsub 7 · also: unsubscribe, del, delete, remove, rm, unwatch
mute [ID] [2h] — pause one subscription or all, for a time or until unmute
Nothing that arrives meanwhile is posted, not even later.
ID is the number of a subscription, as subs shows it.
A duration is a number of minutes, hours, days or weeks: 30m, 2h or 7d.
Example: mute 7 2h · also: pause, silence\
"""),
    ),
    ("me", snapshot("You have no addresses. To add one, type for example: me jane@example.org")),
    ("me ada", snapshot("“ada” is not a mail address. Usage: me [ADDRESS] — for example: me ada@example.org")),
    (
        "Me ada@example.org",
        snapshot("""\
ada@example.org is now one of your addresses: is:mine matches patches from it.
Subscribed, as 1: is:mine on:state,check,comment
Note: this posts no new series, only such changes, with a card where there is none yet.
Undo: me forget ada@example.org\
"""),
    ),
    ("i am ada@example.org", snapshot("ada@example.org is one of your addresses already; nothing was changed.")),
    (
        "my email is bob@example.org",
        snapshot("""\
bob@example.org is now one of your addresses: is:mine matches patches from it.
Undo: me forget bob@example.org\
"""),
    ),
    (
        "me forget bob@example.org.",
        snapshot("""\
bob@example.org is no longer one of your addresses.
Undo: me bob@example.org\
"""),
    ),
    ("forget carol@example.org", snapshot("carol@example.org is not one of your addresses; nothing was changed.")),
    (
        "ada@example.org",
        snapshot(
            "What should I do with that address? To look at its patches: find from:ada@example.org · if it is yours: me ada@example.org, in a direct chat"
        ),
    ),
    (
        "Sub is:mine check:fail",
        snapshot("""\
Subscribed, as 2: is:mine check:fail
Nothing has matched since 2026-01-01.
Note: subscription 1 (is:mine on:state,check,comment) posts all of these series already; this adds on:new,revision.
Undo: unsub 2\
"""),
    ),
    (
        "sub path:migration/ on:new,state,comments",
        snapshot("""\
Subscribed, as 3: path:migration/ on:new,state,comment
About 5 series a week, counted since 2026-01-01.
Undo: unsub 3\
"""),
    ),
    ("Sub path:migration/ on:new,state,comments.", snapshot("That is already subscription 3; nothing was changed.")),
    (
        "sub delegate:ada digest:weekdays 18:30",
        snapshot("""\
Subscribed, as 4: delegate:ada digest:"Mon-Fri 18:30"
Next digest: Tue 2026-01-13 18:30 UTC.
Nothing has matched since 2026-01-01.
Undo: unsub 4\
"""),
    ),
    (
        "subs",
        snapshot("""\
You have 4 subscriptions
• 1 · is:mine on:state,check,comment — tells of changes only
• 2 · is:mine check:fail — nothing since today 00:01
• 3 · path:migration/ on:new,state,comment — nothing since today 00:01
• 4 · delegate:ada digest:"Mon-Fri 18:30" — next today 18:30, nothing waiting
Change: edit 1 QUERY · unsub 1 · mute 1 2h\
"""),
    ),
    (
        "Subs.",
        snapshot("""\
You have 4 subscriptions
• 1 · is:mine on:state,check,comment — tells of changes only
• 2 · is:mine check:fail — nothing since today 00:01
• 3 · path:migration/ on:new,state,comment — nothing since today 00:01
• 4 · delegate:ada digest:"Mon-Fri 18:30" — next today 18:30, nothing waiting
Change: edit 1 QUERY · unsub 1 · mute 1 2h\
"""),
    ),
    (
        "list",
        snapshot("""\
You have 4 subscriptions
• 1 · is:mine on:state,check,comment — tells of changes only
• 2 · is:mine check:fail — nothing since today 00:01
• 3 · path:migration/ on:new,state,comment — nothing since today 00:01
• 4 · delegate:ada digest:"Mon-Fri 18:30" — next today 18:30, nothing waiting
Change: edit 1 QUERY · unsub 1 · mute 1 2h\
"""),
    ),
    (
        "notify off",
        snapshot("""\
notify is now off (was on).
Undo: set notify on\
"""),
    ),
    (
        "notifications on",
        snapshot("""\
notify is now on (was off).
Undo: set notify off\
"""),
    ),
    (
        "Set notify off",
        snapshot("""\
notify is now off (was on).
Undo: set notify on\
"""),
    ),
    (
        "mute 8h",
        snapshot("""\
Everything in this chat is muted until today 08:02 (UTC).
What arrives until then is not posted, not even later.
Undo: unmute\
"""),
    ),
    (
        "pause for half an hour",
        snapshot("""\
Everything in this chat is muted until today 00:32 (UTC).
What arrives until then is not posted, not even later.
Undo: mute 8h\
"""),
    ),
    (
        "resume",
        snapshot("""\
Everything in this chat is no longer muted; what arrives from now on is posted.
Undo: mute 30m\
"""),
    ),
    (
        "mute 99",
        snapshot("""\
You have no subscription 99.
1: is:mine on:state,check,comment
2: is:mine check:fail
3: path:migration/ on:new,state,comment
4: delegate:ada digest:"Mon-Fri 18:30"
Type for example: mute 1\
"""),
    ),
    (
        "https://patchwork.example.org/patch/4/",
        snapshot("""\
🆕 Change number 3
New · no reviews yet
Ada Sample · 2026-01-03
https://patchwork.example.org/project/qemu-devel/patch/20260103235900.3-1-ada@example.org/
• docs/devel/index.rst +1 −1
b4 shazam 20260103235900.3-1-ada@example.org
git-pw patch apply 4\
"""),
    ),
    (
        "https://lore.kernel.org/qemu-devel/{msgid}/",
        snapshot("""\
🆕 [1/2] Change number 12, part 1
New · no reviews yet
Ada Sample · 2026-01-12
in Change number 12 <https://patchwork.example.org/project/qemu-devel/list/?series=12&state=*&archive=both>
https://patchwork.example.org/project/qemu-devel/patch/20260112235900.12-1-ada@example.org/
• docs/devel/index.rst +1 −1
b4 shazam 20260112235900.12-1-ada@example.org
git-pw patch apply 17\
"""),
    ),
    (
        "<{msgid}>",
        snapshot("""\
🆕 [1/2] Change number 12, part 1
New · no reviews yet
Ada Sample · 2026-01-12
in Change number 12 <https://patchwork.example.org/project/qemu-devel/list/?series=12&state=*&archive=both>
https://patchwork.example.org/project/qemu-devel/patch/20260112235900.12-1-ada@example.org/
• docs/devel/index.rst +1 −1
b4 shazam 20260112235900.12-1-ada@example.org
git-pw patch apply 17\
"""),
    ),
    (
        "{msgid}",
        snapshot("""\
🆕 [1/2] Change number 12, part 1
New · no reviews yet
Ada Sample · 2026-01-12
in Change number 12 <https://patchwork.example.org/project/qemu-devel/list/?series=12&state=*&archive=both>
https://patchwork.example.org/project/qemu-devel/patch/20260112235900.12-1-ada@example.org/
• docs/devel/index.rst +1 −1
b4 shazam 20260112235900.12-1-ada@example.org
git-pw patch apply 17\
"""),
    ),
    (
        "4",
        snapshot("""\
🆕 Change number 3
New · no reviews yet
Ada Sample · 2026-01-03
https://patchwork.example.org/project/qemu-devel/patch/20260103235900.3-1-ada@example.org/
• docs/devel/index.rst +1 −1
b4 shazam 20260103235900.3-1-ada@example.org
git-pw patch apply 4\
"""),
    ),
    (
        "#4",
        snapshot("""\
🆕 Change number 3
New · no reviews yet
Ada Sample · 2026-01-03
https://patchwork.example.org/project/qemu-devel/patch/20260103235900.3-1-ada@example.org/
• docs/devel/index.rst +1 −1
b4 shazam 20260103235900.3-1-ada@example.org
git-pw patch apply 4\
"""),
    ),
    (
        "b4 shazam -v2 {msgid}",
        snapshot("""\
🆕 [1/2] Change number 12, part 1
New · no reviews yet
Ada Sample · 2026-01-12
in Change number 12 <https://patchwork.example.org/project/qemu-devel/list/?series=12&state=*&archive=both>
https://patchwork.example.org/project/qemu-devel/patch/20260112235900.12-1-ada@example.org/
• docs/devel/index.rst +1 −1
b4 shazam 20260112235900.12-1-ada@example.org
git-pw patch apply 17\
"""),
    ),
    (
        "$ b4 am -o - https://lore.kernel.org/all/{msgid}",
        snapshot("""\
🆕 [1/2] Change number 12, part 1
New · no reviews yet
Ada Sample · 2026-01-12
in Change number 12 <https://patchwork.example.org/project/qemu-devel/list/?series=12&state=*&archive=both>
https://patchwork.example.org/project/qemu-devel/patch/20260112235900.12-1-ada@example.org/
• docs/devel/index.rst +1 −1
b4 shazam 20260112235900.12-1-ada@example.org
git-pw patch apply 17\
"""),
    ),
    (
        "git-pw series apply 2",
        snapshot("""\
🆕 [0/2] Change number 2
New · no reviews yet
Ada Sample · 2 patches · +4 −4 in hw/virtio/, migration/
https://patchwork.example.org/project/qemu-devel/list/?series=2&state=*&archive=both
• 1/2 Change number 2, part 1
• 2/2 Change number 2, part 2
b4 shazam 20260102235900.2-0-ada@example.org
git-pw series apply 2\
"""),
    ),
    (
        "show  4",
        snapshot("""\
🆕 Change number 3
New · no reviews yet
Ada Sample · 2026-01-03
https://patchwork.example.org/project/qemu-devel/patch/20260103235900.3-1-ada@example.org/
• docs/devel/index.rst +1 −1
b4 shazam 20260103235900.3-1-ada@example.org
git-pw patch apply 4\
"""),
    ),
    (
        "Show 4!",
        snapshot("""\
🆕 Change number 3
New · no reviews yet
Ada Sample · 2026-01-03
https://patchwork.example.org/project/qemu-devel/patch/20260103235900.3-1-ada@example.org/
• docs/devel/index.rst +1 −1
b4 shazam 20260103235900.3-1-ada@example.org
git-pw patch apply 4\
"""),
    ),
    (
        "show 4 please",
        snapshot("""\
🆕 Change number 3
New · no reviews yet
Ada Sample · 2026-01-03
https://patchwork.example.org/project/qemu-devel/patch/20260103235900.3-1-ada@example.org/
• docs/devel/index.rst +1 −1
b4 shazam 20260103235900.3-1-ada@example.org
git-pw patch apply 4\
"""),
    ),
    (
        "can you show me patch 4?",
        snapshot("""\
🆕 Change number 3
New · no reviews yet
Ada Sample · 2026-01-03
https://patchwork.example.org/project/qemu-devel/patch/20260103235900.3-1-ada@example.org/
• docs/devel/index.rst +1 −1
b4 shazam 20260103235900.3-1-ada@example.org
git-pw patch apply 4\
"""),
    ),
    (
        "diff 4",
        snapshot("""\
Change number 3
https://patchwork.example.org/project/qemu-devel/patch/20260103235900.3-1-ada@example.org/
+1 −1 in 1 file
diff --git a/docs/devel/index.rst b/docs/devel/index.rst
index 7c1ad27ad8de..69ac6582ab0a 100644
--- a/docs/devel/index.rst
+++ b/docs/devel/index.rst
@@ -1,3 +1,3 @@
 before
-old line
+new line
 after\
"""),
    ),
    (
        "Comments 4?",
        snapshot("""\
Change number 3
https://patchwork.example.org/project/qemu-devel/patch/20260103235900.3-1-ada@example.org/
No comments yet.\
"""),
    ),
    (
        "find from:ada@example.org state:new",
        snapshot("""\
The newest 10 matches for from:ada@example.org state:new
• #1 Change number 12 <https://patchwork.example.org/project/qemu-devel/list/?series=12&state=*&archive=both> · Ada Sample · 2026-01-12 · New
• #2 Change number 11 <https://patchwork.example.org/project/qemu-devel/list/?series=11&state=*&archive=both> · Ada Sample · 2026-01-11 · New
• #3 Change number 10 <https://patchwork.example.org/project/qemu-devel/list/?series=10&state=*&archive=both> · Ada Sample · 2026-01-10 · New
• #4 Change number 9 <https://patchwork.example.org/project/qemu-devel/list/?series=9&state=*&archive=both> · Ada Sample · 2026-01-09 · New
• #5 Change number 8 <https://patchwork.example.org/project/qemu-devel/list/?series=8&state=*&archive=both> · Ada Sample · 2026-01-08 · New
• #6 Change number 7 <https://patchwork.example.org/project/qemu-devel/list/?series=7&state=*&archive=both> · Ada Sample · 2026-01-07 · New
• #7 Change number 6 <https://patchwork.example.org/project/qemu-devel/list/?series=6&state=*&archive=both> · Ada Sample · 2026-01-06 · New
• #8 Change number 5 <https://patchwork.example.org/project/qemu-devel/list/?series=5&state=*&archive=both> · Ada Sample · 2026-01-05 · New
• #9 Change number 4 <https://patchwork.example.org/project/qemu-devel/list/?series=4&state=*&archive=both> · Ada Sample · 2026-01-04 · New
• #10 Change number 3 <https://patchwork.example.org/project/qemu-devel/list/?series=3&state=*&archive=both> · Ada Sample · 2026-01-03 · New
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.\
"""),
    ),
    (
        "find F: hw/virtio/",
        snapshot("""\
4 matches for path:hw/virtio/
• #1 Change number 11 <https://patchwork.example.org/project/qemu-devel/list/?series=11&state=*&archive=both> · Ada Sample · 2026-01-11 · New
• #2 Change number 8 <https://patchwork.example.org/project/qemu-devel/list/?series=8&state=*&archive=both> · Ada Sample · 2026-01-08 · New
• #3 Change number 5 <https://patchwork.example.org/project/qemu-devel/list/?series=5&state=*&archive=both> · Ada Sample · 2026-01-05 · New
• #4 Change number 2 <https://patchwork.example.org/project/qemu-devel/list/?series=2&state=*&archive=both> · Ada Sample · 2026-01-02 · New
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.\
"""),
    ),
    (
        "find subject:“number 3”",
        snapshot("""\
1 match for subject:"number 3"
• #1 Change number 3 <https://patchwork.example.org/project/qemu-devel/list/?series=3&state=*&archive=both> · Ada Sample · 2026-01-03 · New
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.\
"""),
    ),
    (
        "find migration",
        snapshot("""\
Nothing matches subject:migration
Note: migration is looked for in the subject; for the directory, use path:migration/.
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.\
"""),
    ),
    (
        "find from:ada, state:new",
        snapshot("""\
The newest 10 matches for from:ada state:new
• #1 Change number 12 <https://patchwork.example.org/project/qemu-devel/list/?series=12&state=*&archive=both> · Ada Sample · 2026-01-12 · New
• #2 Change number 11 <https://patchwork.example.org/project/qemu-devel/list/?series=11&state=*&archive=both> · Ada Sample · 2026-01-11 · New
• #3 Change number 10 <https://patchwork.example.org/project/qemu-devel/list/?series=10&state=*&archive=both> · Ada Sample · 2026-01-10 · New
• #4 Change number 9 <https://patchwork.example.org/project/qemu-devel/list/?series=9&state=*&archive=both> · Ada Sample · 2026-01-09 · New
• #5 Change number 8 <https://patchwork.example.org/project/qemu-devel/list/?series=8&state=*&archive=both> · Ada Sample · 2026-01-08 · New
• #6 Change number 7 <https://patchwork.example.org/project/qemu-devel/list/?series=7&state=*&archive=both> · Ada Sample · 2026-01-07 · New
• #7 Change number 6 <https://patchwork.example.org/project/qemu-devel/list/?series=6&state=*&archive=both> · Ada Sample · 2026-01-06 · New
• #8 Change number 5 <https://patchwork.example.org/project/qemu-devel/list/?series=5&state=*&archive=both> · Ada Sample · 2026-01-05 · New
• #9 Change number 4 <https://patchwork.example.org/project/qemu-devel/list/?series=4&state=*&archive=both> · Ada Sample · 2026-01-04 · New
• #10 Change number 3 <https://patchwork.example.org/project/qemu-devel/list/?series=3&state=*&archive=both> · Ada Sample · 2026-01-03 · New
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.\
"""),
    ),
    (
        "find version:2+",
        snapshot("""\
Nothing matches version:>=2
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.\
"""),
    ),
    (
        'find "number',
        snapshot("""\
"number
^^^^^^^
This quote is not closed. End it with a ".\
"""),
    ),
    (
        "find path:migration/ –prefix:RFC",
        snapshot("""\
8 matches for path:migration/ -prefix:RFC
• #1 Change number 11 <https://patchwork.example.org/project/qemu-devel/list/?series=11&state=*&archive=both> · Ada Sample · 2026-01-11 · New
• #2 Change number 10 <https://patchwork.example.org/project/qemu-devel/list/?series=10&state=*&archive=both> · Ada Sample · 2026-01-10 · New
• #3 Change number 8 <https://patchwork.example.org/project/qemu-devel/list/?series=8&state=*&archive=both> · Ada Sample · 2026-01-08 · New
• #4 Change number 7 <https://patchwork.example.org/project/qemu-devel/list/?series=7&state=*&archive=both> · Ada Sample · 2026-01-07 · New
• #5 Change number 5 <https://patchwork.example.org/project/qemu-devel/list/?series=5&state=*&archive=both> · Ada Sample · 2026-01-05 · New
• #6 Change number 4 <https://patchwork.example.org/project/qemu-devel/list/?series=4&state=*&archive=both> · Ada Sample · 2026-01-04 · New
• #7 Change number 2 <https://patchwork.example.org/project/qemu-devel/list/?series=2&state=*&archive=both> · Ada Sample · 2026-01-02 · New
• #8 Change number 1 <https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both> · Ada Sample · 2026-01-01 · New
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.\
"""),
    ),
    (
        "find {path:hw/ path:docs/}",
        snapshot("""\
{path:hw/ path:docs/}
^^^^^^^^^
Terms are grouped by parentheses, e.g. (path:hw/ OR path:docs/)\
"""),
    ),
    (
        "test is:mine",
        snapshot("""\
7 series in 7 days for from:ada@example.org
By day: 2026-01-13: 1 · 2026-01-12: 1 · 2026-01-11: 1 · 2026-01-10: 1 · 2026-01-09: 1 · 2026-01-08: 1 · 2026-01-07: 1
• Change number 12 <https://patchwork.example.org/project/qemu-devel/list/?series=12&state=*&archive=both> · Ada Sample · 2026-01-12 · qemu-devel
• Change number 11 <https://patchwork.example.org/project/qemu-devel/list/?series=11&state=*&archive=both> · Ada Sample · 2026-01-11 · qemu-devel
• Change number 10 <https://patchwork.example.org/project/qemu-devel/list/?series=10&state=*&archive=both> · Ada Sample · 2026-01-10 · qemu-devel
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.
Subscribe: sub is:mine\
"""),
    ),
    (
        "test path:docs/ last week",
        snapshot("""\
3 series in 7 days for path:docs/
By day: 2026-01-13: 1 · 2026-01-10: 1 · 2026-01-07: 1
• Change number 12 <https://patchwork.example.org/project/qemu-devel/list/?series=12&state=*&archive=both> · Ada Sample · 2026-01-12 · qemu-devel
• Change number 9 <https://patchwork.example.org/project/qemu-devel/list/?series=9&state=*&archive=both> · Ada Sample · 2026-01-09 · qemu-devel
• Change number 6 <https://patchwork.example.org/project/qemu-devel/list/?series=6&state=*&archive=both> · Ada Sample · 2026-01-06 · qemu-devel
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.
Subscribe: sub path:docs/\
"""),
    ),
    (
        "test docs 7d",
        snapshot("""\
Nothing in 7 days for subject:docs
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.
Note: docs is looked for in the subject; for the directory, use path:docs/.
Subscribe: sub subject:docs\
"""),
    ),
    (
        "unsub is:mine check:fail",
        snapshot("""\
Subscription 2 has ended.
Undo: sub is:mine check:fail\
"""),
    ),
    (
        "unsub 1 2",
        snapshot("""\
Subscriptions end one at a time, for example: unsub 1
To pause all of them instead: mute\
"""),
    ),
    ("Thanks 🙏", snapshot("(reaction) 👍")),
    ("thx", snapshot("(reaction) 👍")),
    ("great, thank you!", snapshot("(reaction) 👍")),
    ("ok", snapshot("(reaction) 👍")),
    ("lol", snapshot("I do not know the command “lol”. For what I understand, type: help")),
    ("asdf", snapshot("I do not know the command “asdf”. For what I understand, type: help")),
    (
        "export",
        snapshot("""\
[[room]]
room = "!chat:hs"
subscribe = [
    "from:ada@example.org on:state,check,comment",
    "path:migration/ on:new,state,comment",
    "delegate:ada digest:\\"Mon-Fri 18:30\\"",
]\
"""),
    ),
    (
        "why",
        snapshot("Reply to a card with that, or type it in its thread: then I can say which subscription brought it."),
    ),
    (
        "status",
        snapshot("""\
🟢 All well · patchbot VERSION, up 12 days
• 🟢 sample — qemu-devel, looked 0 s ago
You: 3 subscriptions, 0 cards in 7 days, nothing waiting\
"""),
    ),
    (
        "set timezone New York",
        snapshot("""\
timezone is now America/New_York (was UTC).
Next digest: Tue 2026-01-13 18:30 America/New_York.
Undo: set timezone UTC\
"""),
    ),
    ("set timezone America/New_York", snapshot("timezone is America/New_York already; nothing was changed.")),
    (
        "Settings",
        snapshot("""\
• project is none — the project that queries without "project:" are about (the name of a project, or none)
• mode is card — how new series are shown (card, or compact (two lines))
• timezone is America/New_York — the zone of all times that I show or am told here (a name such as Europe/Berlin)
• notify is off — whether cards notify in a direct chat (on or off)
• flood is 10 — more new series than this at once become one message with a list (1 to 100000, or 0 for never)
• nudge is off — after how long without an answer I remind you of a patch of yours, once a version (1d to 365d, or off)
Change one: set timezone Europe/Berlin\
"""),
    ),
    (
        "time zone",
        snapshot("""\
set timezone Europe/Berlin — the zone of all times that I show or am told here: a name such as Europe/Berlin.
Without it: UTC. Now: settings\
"""),
    ),
    (
        "help is",
        snapshot("""\
is:pull — what it is: mine, pull, complete, reviewed, archived
is:mine means your addresses, which you name by me ada@example.org in a direct chat.
Try it: sub is:pull\
"""),
    ),
    (
        "help stale",
        snapshot("""\
stale:14d — for how long nothing has happened to it
Hours, days or weeks; only in find, and in subscriptions with digest:.
Try it: sub stale:14d digest:"Mon-Fri 09:00"\
"""),
    ),
    (
        "help series",
        snapshot("""\
series REF — a series with all its patches
REF is an id, server:id, message-id or link; in reply to a card, it may be left out.
Example: series 2194095\
"""),
    ),
    (
        "help me forget",
        snapshot("""\
me forget ADDRESS — in a direct chat: no longer count an address as yours
Example: me forget ada@example.org · also: forget, forget me
Only in a direct chat with me.\
"""),
    ),
    (
        "help “sub”",
        snapshot("""\
sub QUERY — post each new series that matches a query
QUERY is made of terms, such as path:migration/ from:@example.org -prefix:RFC. All of them must match; a comma means or, a minus excludes.
Example: sub path:migration/ -prefix:RFC · also: subscribe, add, watch\
"""),
    ),
    ("leave", snapshot("That is only for the bot's admins.")),
    ("rooms", snapshot("That is only for the bot's admins.")),
    (
        "queue",
        snapshot("""\
Queue: 12 to be reviewed
Needs review
• #1 Change number 1 <https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both> · Ada Sample · 11 days old · no reply for 11 days
• #2 [0/2] Change number 2 <https://patchwork.example.org/project/qemu-devel/list/?series=2&state=*&archive=both> · Ada Sample · 10 days old · no reply for 10 days
• #3 Change number 3 <https://patchwork.example.org/project/qemu-devel/list/?series=3&state=*&archive=both> · Ada Sample · 9 days old · no reply for 9 days
• #4 [0/2] Change number 4 <https://patchwork.example.org/project/qemu-devel/list/?series=4&state=*&archive=both> · Ada Sample · 8 days old · no reply for 8 days
• #5 Change number 5 <https://patchwork.example.org/project/qemu-devel/list/?series=5&state=*&archive=both> · Ada Sample · 7 days old · no reply for 7 days
• #6 [0/2] Change number 6 <https://patchwork.example.org/project/qemu-devel/list/?series=6&state=*&archive=both> · Ada Sample · 6 days old · no reply for 6 days
• #7 Change number 7 <https://patchwork.example.org/project/qemu-devel/list/?series=7&state=*&archive=both> · Ada Sample · 5 days old · no reply for 5 days
• #8 [0/2] Change number 8 <https://patchwork.example.org/project/qemu-devel/list/?series=8&state=*&archive=both> · Ada Sample · 4 days old · no reply for 4 days
• #9 Change number 9 <https://patchwork.example.org/project/qemu-devel/list/?series=9&state=*&archive=both> · Ada Sample · 3 days old · no reply for 3 days
• #10 [0/2] Change number 10 <https://patchwork.example.org/project/qemu-devel/list/?series=10&state=*&archive=both> · Ada Sample · 2 days old · no reply for 2 days
• #11 Change number 11 <https://patchwork.example.org/project/qemu-devel/list/?series=11&state=*&archive=both> · Ada Sample · 1 day old · no reply for 1 day
• #12 [0/2] Change number 12 <https://patchwork.example.org/project/qemu-devel/list/?series=12&state=*&archive=both> · Ada Sample · new · no reply yet\
"""),
    ),
    (
        "what's mine",
        snapshot("""\
Queue: 12 to be reviewed
Needs review
• #1 Change number 1 <https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both> · Ada Sample · 11 days old · no reply for 11 days
• #2 [0/2] Change number 2 <https://patchwork.example.org/project/qemu-devel/list/?series=2&state=*&archive=both> · Ada Sample · 10 days old · no reply for 10 days
• #3 Change number 3 <https://patchwork.example.org/project/qemu-devel/list/?series=3&state=*&archive=both> · Ada Sample · 9 days old · no reply for 9 days
• #4 [0/2] Change number 4 <https://patchwork.example.org/project/qemu-devel/list/?series=4&state=*&archive=both> · Ada Sample · 8 days old · no reply for 8 days
• #5 Change number 5 <https://patchwork.example.org/project/qemu-devel/list/?series=5&state=*&archive=both> · Ada Sample · 7 days old · no reply for 7 days
• #6 [0/2] Change number 6 <https://patchwork.example.org/project/qemu-devel/list/?series=6&state=*&archive=both> · Ada Sample · 6 days old · no reply for 6 days
• #7 Change number 7 <https://patchwork.example.org/project/qemu-devel/list/?series=7&state=*&archive=both> · Ada Sample · 5 days old · no reply for 5 days
• #8 [0/2] Change number 8 <https://patchwork.example.org/project/qemu-devel/list/?series=8&state=*&archive=both> · Ada Sample · 4 days old · no reply for 4 days
• #9 Change number 9 <https://patchwork.example.org/project/qemu-devel/list/?series=9&state=*&archive=both> · Ada Sample · 3 days old · no reply for 3 days
• #10 [0/2] Change number 10 <https://patchwork.example.org/project/qemu-devel/list/?series=10&state=*&archive=both> · Ada Sample · 2 days old · no reply for 2 days
• #11 Change number 11 <https://patchwork.example.org/project/qemu-devel/list/?series=11&state=*&archive=both> · Ada Sample · 1 day old · no reply for 1 day
• #12 [0/2] Change number 12 <https://patchwork.example.org/project/qemu-devel/list/?series=12&state=*&archive=both> · Ada Sample · new · no reply yet\
"""),
    ),
    (
        "my queue",
        snapshot("""\
Queue: 12 to be reviewed
Needs review
• #1 Change number 1 <https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both> · Ada Sample · 11 days old · no reply for 11 days
• #2 [0/2] Change number 2 <https://patchwork.example.org/project/qemu-devel/list/?series=2&state=*&archive=both> · Ada Sample · 10 days old · no reply for 10 days
• #3 Change number 3 <https://patchwork.example.org/project/qemu-devel/list/?series=3&state=*&archive=both> · Ada Sample · 9 days old · no reply for 9 days
• #4 [0/2] Change number 4 <https://patchwork.example.org/project/qemu-devel/list/?series=4&state=*&archive=both> · Ada Sample · 8 days old · no reply for 8 days
• #5 Change number 5 <https://patchwork.example.org/project/qemu-devel/list/?series=5&state=*&archive=both> · Ada Sample · 7 days old · no reply for 7 days
• #6 [0/2] Change number 6 <https://patchwork.example.org/project/qemu-devel/list/?series=6&state=*&archive=both> · Ada Sample · 6 days old · no reply for 6 days
• #7 Change number 7 <https://patchwork.example.org/project/qemu-devel/list/?series=7&state=*&archive=both> · Ada Sample · 5 days old · no reply for 5 days
• #8 [0/2] Change number 8 <https://patchwork.example.org/project/qemu-devel/list/?series=8&state=*&archive=both> · Ada Sample · 4 days old · no reply for 4 days
• #9 Change number 9 <https://patchwork.example.org/project/qemu-devel/list/?series=9&state=*&archive=both> · Ada Sample · 3 days old · no reply for 3 days
• #10 [0/2] Change number 10 <https://patchwork.example.org/project/qemu-devel/list/?series=10&state=*&archive=both> · Ada Sample · 2 days old · no reply for 2 days
• #11 Change number 11 <https://patchwork.example.org/project/qemu-devel/list/?series=11&state=*&archive=both> · Ada Sample · 1 day old · no reply for 1 day
• #12 [0/2] Change number 12 <https://patchwork.example.org/project/qemu-devel/list/?series=12&state=*&archive=both> · Ada Sample · new · no reply yet\
"""),
    ),
    (
        "show me my queue",
        snapshot("""\
Queue: 12 to be reviewed
Needs review
• #1 Change number 1 <https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both> · Ada Sample · 11 days old · no reply for 11 days
• #2 [0/2] Change number 2 <https://patchwork.example.org/project/qemu-devel/list/?series=2&state=*&archive=both> · Ada Sample · 10 days old · no reply for 10 days
• #3 Change number 3 <https://patchwork.example.org/project/qemu-devel/list/?series=3&state=*&archive=both> · Ada Sample · 9 days old · no reply for 9 days
• #4 [0/2] Change number 4 <https://patchwork.example.org/project/qemu-devel/list/?series=4&state=*&archive=both> · Ada Sample · 8 days old · no reply for 8 days
• #5 Change number 5 <https://patchwork.example.org/project/qemu-devel/list/?series=5&state=*&archive=both> · Ada Sample · 7 days old · no reply for 7 days
• #6 [0/2] Change number 6 <https://patchwork.example.org/project/qemu-devel/list/?series=6&state=*&archive=both> · Ada Sample · 6 days old · no reply for 6 days
• #7 Change number 7 <https://patchwork.example.org/project/qemu-devel/list/?series=7&state=*&archive=both> · Ada Sample · 5 days old · no reply for 5 days
• #8 [0/2] Change number 8 <https://patchwork.example.org/project/qemu-devel/list/?series=8&state=*&archive=both> · Ada Sample · 4 days old · no reply for 4 days
• #9 Change number 9 <https://patchwork.example.org/project/qemu-devel/list/?series=9&state=*&archive=both> · Ada Sample · 3 days old · no reply for 3 days
• #10 [0/2] Change number 10 <https://patchwork.example.org/project/qemu-devel/list/?series=10&state=*&archive=both> · Ada Sample · 2 days old · no reply for 2 days
• #11 Change number 11 <https://patchwork.example.org/project/qemu-devel/list/?series=11&state=*&archive=both> · Ada Sample · 1 day old · no reply for 1 day
• #12 [0/2] Change number 12 <https://patchwork.example.org/project/qemu-devel/list/?series=12&state=*&archive=both> · Ada Sample · new · no reply yet\
"""),
    ),
    (
        "what should I review?",
        snapshot("""\
Queue: 12 to be reviewed
Needs review
• #1 Change number 1 <https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both> · Ada Sample · 11 days old · no reply for 11 days
• #2 [0/2] Change number 2 <https://patchwork.example.org/project/qemu-devel/list/?series=2&state=*&archive=both> · Ada Sample · 10 days old · no reply for 10 days
• #3 Change number 3 <https://patchwork.example.org/project/qemu-devel/list/?series=3&state=*&archive=both> · Ada Sample · 9 days old · no reply for 9 days
• #4 [0/2] Change number 4 <https://patchwork.example.org/project/qemu-devel/list/?series=4&state=*&archive=both> · Ada Sample · 8 days old · no reply for 8 days
• #5 Change number 5 <https://patchwork.example.org/project/qemu-devel/list/?series=5&state=*&archive=both> · Ada Sample · 7 days old · no reply for 7 days
• #6 [0/2] Change number 6 <https://patchwork.example.org/project/qemu-devel/list/?series=6&state=*&archive=both> · Ada Sample · 6 days old · no reply for 6 days
• #7 Change number 7 <https://patchwork.example.org/project/qemu-devel/list/?series=7&state=*&archive=both> · Ada Sample · 5 days old · no reply for 5 days
• #8 [0/2] Change number 8 <https://patchwork.example.org/project/qemu-devel/list/?series=8&state=*&archive=both> · Ada Sample · 4 days old · no reply for 4 days
• #9 Change number 9 <https://patchwork.example.org/project/qemu-devel/list/?series=9&state=*&archive=both> · Ada Sample · 3 days old · no reply for 3 days
• #10 [0/2] Change number 10 <https://patchwork.example.org/project/qemu-devel/list/?series=10&state=*&archive=both> · Ada Sample · 2 days old · no reply for 2 days
• #11 Change number 11 <https://patchwork.example.org/project/qemu-devel/list/?series=11&state=*&archive=both> · Ada Sample · 1 day old · no reply for 1 day
• #12 [0/2] Change number 12 <https://patchwork.example.org/project/qemu-devel/list/?series=12&state=*&archive=both> · Ada Sample · new · no reply yet\
"""),
    ),
    (
        "queue path:docs/",
        snapshot("""\
Queue: 4 to be reviewed
Needs review
• #1 Change number 3 <https://patchwork.example.org/project/qemu-devel/list/?series=3&state=*&archive=both> · Ada Sample · 9 days old · no reply for 9 days
• #2 [0/2] Change number 6 <https://patchwork.example.org/project/qemu-devel/list/?series=6&state=*&archive=both> · Ada Sample · 6 days old · no reply for 6 days
• #3 Change number 9 <https://patchwork.example.org/project/qemu-devel/list/?series=9&state=*&archive=both> · Ada Sample · 3 days old · no reply for 3 days
• #4 [0/2] Change number 12 <https://patchwork.example.org/project/qemu-devel/list/?series=12&state=*&archive=both> · Ada Sample · new · no reply yet\
"""),
    ),
    (
        "queue is:mine",
        snapshot("""\
Queue: 12 to be reviewed
Needs review
• #1 Change number 1 <https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both> · Ada Sample · 11 days old · no reply for 11 days
• #2 [0/2] Change number 2 <https://patchwork.example.org/project/qemu-devel/list/?series=2&state=*&archive=both> · Ada Sample · 10 days old · no reply for 10 days
• #3 Change number 3 <https://patchwork.example.org/project/qemu-devel/list/?series=3&state=*&archive=both> · Ada Sample · 9 days old · no reply for 9 days
• #4 [0/2] Change number 4 <https://patchwork.example.org/project/qemu-devel/list/?series=4&state=*&archive=both> · Ada Sample · 8 days old · no reply for 8 days
• #5 Change number 5 <https://patchwork.example.org/project/qemu-devel/list/?series=5&state=*&archive=both> · Ada Sample · 7 days old · no reply for 7 days
• #6 [0/2] Change number 6 <https://patchwork.example.org/project/qemu-devel/list/?series=6&state=*&archive=both> · Ada Sample · 6 days old · no reply for 6 days
• #7 Change number 7 <https://patchwork.example.org/project/qemu-devel/list/?series=7&state=*&archive=both> · Ada Sample · 5 days old · no reply for 5 days
• #8 [0/2] Change number 8 <https://patchwork.example.org/project/qemu-devel/list/?series=8&state=*&archive=both> · Ada Sample · 4 days old · no reply for 4 days
• #9 Change number 9 <https://patchwork.example.org/project/qemu-devel/list/?series=9&state=*&archive=both> · Ada Sample · 3 days old · no reply for 3 days
• #10 [0/2] Change number 10 <https://patchwork.example.org/project/qemu-devel/list/?series=10&state=*&archive=both> · Ada Sample · 2 days old · no reply for 2 days
• #11 Change number 11 <https://patchwork.example.org/project/qemu-devel/list/?series=11&state=*&archive=both> · Ada Sample · 1 day old · no reply for 1 day
• #12 [0/2] Change number 12 <https://patchwork.example.org/project/qemu-devel/list/?series=12&state=*&archive=both> · Ada Sample · new · no reply yet\
"""),
    ),
]

# An admin of the bot, in the room.
BY_AN_ADMIN: Lines = [
    (
        "!pw help all",
        snapshot("""\
The bot
• !pw help [WORD] — the most wanted commands, all of them, or what one word means
• !pw status — whether all is well: the servers, and what this room gets
• !pw version — the name and the version of the bot
Looking patches up
• !pw show REF — a patch or a series, by id, message-id or link
• !pw series REF — a series with all its patches
• !pw diff REF, or vA..vB — what a patch changes, or what changed between two versions of a series
• !pw also REF [from N] — other open series that touch the same files
• !pw checks REF — the checks of a patch
• !pw comments REF — what reviewers wrote about a patch
• !pw find QUERY — the newest series that match a query
• !pw queue [QUERY] [PAGE] — what is open here and whose turn it is, with the reason
• !pw stats [QUERY] [90d] — figures: what came, was accepted, is open, and how long it took
• !pw chart [QUERY] [90d] — the figures week by week, as a picture
Subscriptions
• !pw sub QUERY — post each new series that matches a query
• !pw unsub ID — end a subscription
• !pw subs [from] — the subscriptions here, with their numbers and what they bring
• !pw edit ID QUERY — give a subscription another query
• !pw test QUERY [7d] — what a query would have brought, without subscribing
• !pw why — as a reply to a card: which subscriptions brought it
• !pw mute [ID] [2h] — pause one subscription or all, for a time or until unmute
• !pw unmute [ID] — end the pause
This chat, and you
• !pw snooze [REF 2w|until DATE|until v7] — keep a patch or series out of the queues here until then; alone: list them
• !pw unsnooze REF — end that
• !pw set KEY VALUE — change a setting
• !pw settings — the settings, and what they can be
• !pw me [ADDRESS] — in a direct chat: your mail addresses, or one more, whose patches you then hear of
• !pw me forget ADDRESS — in a direct chat: no longer count an address as yours
• !pw export [from] — the subscriptions here, as lines for the configuration
What you follow
• !pw follow REF — post to your direct chat what happens to a patch or a series, and its later versions
• !pw unfollow REF — end that
• !pw follows [from] — what you follow
Changing patches on Patchwork
• !pw state REF… STATE — set the state of patches; a series means all its patches
• !pw delegate REF… USER|me|nobody — delegate patches to a maintainer, to yourself, or to nobody
• !pw archive [REF…] — archive patches
• !pw unarchive [REF…] — take patches out of the archive
• !pw token [SERVER TOKEN] — in an encrypted direct chat: your API tokens, or one more, to change patches with
• !pw token forget SERVER — delete the token that you gave for a server
Admins
• !pw rooms [from] — the rooms that the bot is in
• !pw leave ROOM — make the bot leave a room
More about one: !pw help show
What a QUERY may ask for: !pw help query\
"""),
    ),
    (
        "!pw rooms",
        snapshot("""\
Rooms with their subscriptions:
• #qemu-migration:hs (!room:hs) — 0 subscriptions
In direct chats: no subscriptions.\
"""),
    ),
    (
        "!pw list rooms",
        snapshot("""\
Rooms with their subscriptions:
• #qemu-migration:hs (!room:hs) — 0 subscriptions
In direct chats: no subscriptions.\
"""),
    ),
    ("!pw rooms 2", snapshot("The list ends with 1. From its beginning: !pw rooms 1")),
    (
        "!pw help rooms",
        snapshot("""\
!pw rooms [from] — the rooms that the bot is in
Example: !pw rooms 31
Only for the bot's admins.\
"""),
    ),
    (
        "!pw help leave",
        snapshot("""\
!pw leave ROOM — make the bot leave a room
ROOM is an alias or an id.
Example: !pw leave #qemu-migration:example.org · also: part
Only for the bot's admins.\
"""),
    ),
    (
        "!pw leave",
        snapshot("ROOM is missing. Usage: !pw leave ROOM — for example: !pw leave #qemu-migration:example.org"),
    ),
    (
        "!pw leave #qemu-migration:hs",
        snapshot("I cannot answer here after leaving. Send this from another room or a direct chat."),
    ),
    (
        "!pw status",
        snapshot("""\
🟢 All well · patchbot VERSION, up 12 days
• 🟢 sample — qemu-devel, looked 0 s ago
This room: 0 subscriptions, 0 cards in 7 days, nothing waiting\
"""),
    ),
    (
        "!pw Status please",
        snapshot("""\
🟢 All well · patchbot VERSION, up 12 days
• 🟢 sample — qemu-devel, looked 0 s ago
This room: 0 subscriptions, 0 cards in 7 days, nothing waiting\
"""),
    ),
    (
        "!pw sub path:hw/virtio/",
        snapshot("""\
Subscribed, as 1: path:hw/virtio/
About 2 series a week, counted since 2026-01-01.
Undo: !pw unsub 1\
"""),
    ),
    (
        '!pw sub project:qemu-devel digest:"Mon-Fri 09:00" on:new',
        snapshot("""\
Subscribed, as 2: project:qemu-devel on:new digest:"Mon-Fri 09:00"
Next digest: Tue 2026-01-13 09:00 UTC.
About 7 series a week, counted since 2026-01-01.
Undo: !pw unsub 2\
"""),
    ),
    (
        "!pw sub version:1 patches:>30",
        snapshot("""\
Subscribed, as 3: version:1 patches:>30
Nothing has matched since 2026-01-01.
Undo: !pw unsub 3\
"""),
    ),
    (
        "!pw sub version:1 patches:>40",
        snapshot("""\
Subscribed, as 4: version:1 patches:>40
Nothing has matched since 2026-01-01.
Note: subscription 3 (version:1 patches:>30) posts all of these series already, and each series is posted once.
Undo: !pw unsub 4\
"""),
    ),
    (
        "!pw export",
        snapshot("""\
[[room]]
room = "!room:hs"
subscribe = [
    "path:hw/virtio/",
    "project:qemu-devel on:new digest:\\"Mon-Fri 09:00\\"",
    "version:1 patches:>30",
    "version:1 patches:>40",
]\
"""),
    ),
    (
        "!pw set flood never",
        snapshot("""\
flood is now 0 (was 10).
Undo: !pw set flood 10\
"""),
    ),
    ("!pw set flood 0", snapshot("flood is 0 already; nothing was changed.")),
    ("!pw set project qemu-devl", snapshot("There is no watched project “qemu-devl”. Did you mean “qemu-devel”?")),
    (
        "!pw set project QEMU-DEVEL",
        snapshot("""\
project is now qemu-devel (was none).
Undo: !pw set project none\
"""),
    ),
    (
        "!pw sub path:docs/",
        snapshot("""\
Subscribed, as 5: path:docs/
In qemu-devel, the project that is set here.
About 2 series a week, counted since 2026-01-01.
Undo: !pw unsub 5\
"""),
    ),
    (
        "!pw set project none",
        snapshot("""\
project is now none (was qemu-devel).
Undo: !pw set project qemu-devel\
"""),
    ),
    (
        "!pw config",
        snapshot("""\
• project is none — the project that queries without "project:" are about (the name of a project, or none)
• mode is card — how new series are shown (card, or compact (two lines))
• timezone is UTC — the zone of all times that I show or am told here (a name such as Europe/Berlin)
• flood is 0 — more new series than this at once become one message with a list (1 to 100000, or 0 for never)
• unfurl is on — whether I answer links to patches that people paste with a line about each (on or off)
Change one: !pw set timezone Europe/Berlin\
"""),
    ),
    (
        "!pw health",
        snapshot("""\
🟢 All well · patchbot VERSION, up 12 days
• 🟢 sample — qemu-devel, looked 0 s ago
This room: 5 subscriptions, 0 cards in 7 days, nothing waiting\
"""),
    ),
    ("!pw rooom", snapshot("I do not know the command “rooom”. Did you mean “rooms”?")),
    (
        "!pw how do I make you leave a room?",
        snapshot("""\
!pw leave ROOM — make the bot leave a room
ROOM is an alias or an id.
Example: !pw leave #qemu-migration:example.org · also: part
Only for the bot's admins.\
"""),
    ),
    (
        "!pw help permissions",
        snapshot("""\
Everybody may look things up.
In a room, only moderators may change what is posted (power level 50, or what the room sets for org.patchbot.subscription).
In a direct chat, what you subscribe to is yours alone.\
"""),
    ),
    (
        "!pw help server:",
        snapshot("""\
server:ozlabs — a Patchwork server, by its name here
!pw status lists them.
Try it: !pw sub server:ozlabs\
"""),
    ),
    (
        "!pw find check:fail/build*",
        snapshot("check:fail/build* cannot search past patches: only the worst check is stored. Try check:fail."),
    ),
    (
        "!pw help timezone",
        snapshot("""\
!pw set timezone Europe/Berlin — the zone of all times that I show or am told here: a name such as Europe/Berlin.
Without it: UTC. Now: !pw settings\
"""),
    ),
    ("!pw restart", snapshot("I do not know the command “restart”. Did you mean “status”?")),
]


async def test_what_a_moderator_types_in_a_room(tmp_path: Path) -> None:
    async with conversation(tmp_path) as talk:
        for typed, answer in IN_THE_ROOM:
            if typed.startswith("↩") and talk.card is None:
                await talk.arrives("migration/ram.c", name="Migration of a card")
                talk.card = next(post.event for post in talk.rig.chat.posted if post.message.tag.kind == "card")
            assert (await talk.ask(typed, MODERATOR, ROOM)).replace(__version__, "VERSION") == answer, typed


async def test_what_somebody_types_in_a_direct_chat(tmp_path: Path) -> None:
    async with conversation(tmp_path) as talk:
        for typed, answer in IN_A_DIRECT_CHAT:
            assert (await talk.ask(typed, MEMBER, CHAT)).replace(__version__, "VERSION") == answer, typed


async def test_what_an_admin_types_in_a_room(tmp_path: Path) -> None:
    async with conversation(tmp_path) as talk:
        for typed, answer in BY_AN_ADMIN:
            assert (await talk.ask(typed, OPERATOR, ROOM)).replace(__version__, "VERSION") == answer, typed


def test_the_table_is_long_enough() -> None:
    assert len([*IN_THE_ROOM, *IN_A_DIRECT_CHAT, *BY_AN_ADMIN]) >= 150
