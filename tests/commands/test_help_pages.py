"""What `help` says, in both forms, and the page on all commands."""

import re
from pathlib import Path

import pytest
from inline_snapshot import snapshot

import commands_page
from bot.commands.command_table import COMMANDS, VERBS, find
from bot.commands.help import overview, page, queries
from bot.notices.markup import MAX_BODY_BYTES, Allowed, plain, written
from bot.query.keys import Key
from bot.query.options import OptionKind

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def both(verb: str, prefix: str = "!pw") -> tuple[str, str]:
    command = find(verb)
    assert command is not None
    body, html = written(page(command, prefix), Allowed(()))
    return body, re.sub("(<br>)", r"\1\n", html)


def test_the_overview_of_all_commands() -> None:
    body, _ = written(overview(VERBS, "!pw"), Allowed(()))

    assert body == snapshot("""\
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
""")


def test_the_overview_in_a_direct_chat() -> None:
    body, html = written(overview({"help", "show", "rooms"}, ""), Allowed(()))

    assert (body, re.sub("(?=<p>|<ul>|<li>)", "\n", html)) == snapshot(
        (
            """\
The bot
• help [WORD] — the most wanted commands, all of them, or what one word means
Looking patches up
• show REF — a patch or a series, by id, message-id or link
Admins
• rooms [from] — the rooms that the bot is in
More about one: help show
What a QUERY may ask for: help query\
""",
            """\

<p><strong>The bot</strong></p>
<ul>
<li><code>help [WORD]</code> — the most wanted commands, all of them, or what one word means</li></ul>
<p><strong>Looking patches up</strong></p>
<ul>
<li><code>show REF</code> — a patch or a series, by id, message-id or link</li></ul>
<p><strong>Admins</strong></p>
<ul>
<li><code>rooms [from]</code> — the rooms that the bot is in</li></ul>
<p>More about one: <code>help show</code><br>What a QUERY may ask for: <code>help query</code></p>\
""",
        )
    )


def test_the_overview_of_all_commands_is_not_cut() -> None:
    document = overview(VERBS, "!a-rather-long-prefix")

    body, html = written(document, Allowed(()))

    assert body == plain(document, Allowed(()))
    assert html.count("<li>") == len(COMMANDS)
    assert len(body.encode()) < MAX_BODY_BYTES


def test_the_page_on_queries_knows_every_key() -> None:
    body, _ = written(queries("!pw"), Allowed(()))

    assert all(f"• {each.example} — {each.meaning}" in body for each in (*Key, *OptionKind))
    assert body.partition("\n")[2] == snapshot("""\
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
""")


def test_the_page_of_a_look_up() -> None:
    assert both("show") == snapshot(
        (
            """\
!pw show REF — a patch or a series, by id, message-id or link
A number is the id of a patch, or else of a series.
REF is an id, server:id, message-id or link; in reply to a card, it may be left out.
Example: !pw show 2194095 · also: s, get, info, patch, view, open, lookup, look up\
""",
            """\
<p><code>!pw show REF</code> — a patch or a series, by id, message-id or link<br>
A number is the id of a patch, or else of a series.<br>
REF is an id, server:id, message-id or link; in reply to a card, it may be left out.<br>
Example: <code>!pw show 2194095</code> · also: s, get, info, patch, view, open, lookup, look up</p>\
""",
        )
    )


def test_the_page_of_a_change() -> None:
    assert both("mute", "") == snapshot(
        (
            """\
mute [ID] [2h] — pause one subscription or all, for a time or until unmute
Nothing that arrives meanwhile is posted, not even later.
ID is the number of a subscription, as subs shows it.
A duration is a number of minutes, hours, days or weeks: 30m, 2h or 7d.
Example: mute 7 2h · also: pause, silence\
""",
            """\
<p><code>mute [ID] [2h]</code> — pause one subscription or all, for a time or until unmute<br>
Nothing that arrives meanwhile is posted, not even later.<br>
ID is the number of a subscription, as <code>subs</code> shows it.<br>
A duration is a number of minutes, hours, days or weeks: 30m, 2h or 7d.<br>
Example: <code>mute 7 2h</code> · also: pause, silence</p>\
""",
        )
    )


def test_the_page_of_what_only_admins_may() -> None:
    assert both("leave")[0] == snapshot("""\
!pw leave ROOM — make the bot leave a room
ROOM is an alias or an id.
Example: !pw leave #qemu-migration:example.org · also: part
Only for the bot's admins.\
""")


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_page_tells_the_usage_the_example_and_the_other_names(verb: str) -> None:
    command = find(verb)
    assert command is not None

    body, _ = both(verb)

    assert body.splitlines()[0] == f"{command.usage('!pw')} — {command.summary}"
    assert command.who.value in body
    assert command.typical("!pw") in body
    assert all(alias in body for alias in command.aliases)


def test_the_page_on_all_commands_is_what_the_table_says() -> None:
    """Where it is not: `make reference`."""
    assert PAGE.read_text() == commands_page.page()
