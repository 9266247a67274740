"""Names that somebody else could make stand for the bot's address."""

import pytest

from bot.health.endpoints import is_ours
from support.status_rig import BOT, Being, pages

OURS = {"bot.example.org"}


@pytest.mark.parametrize("path", ["/", "/livez", "/readyz", "/metrics", "/nowhere"])
async def test_a_name_that_was_made_to_stand_for_the_bots_address_is_refused(path: str) -> None:
    async with pages(Being(BOT)) as client:
        answer = await client.get(path, headers={"Host": "rebound.example.com:9199"})

    assert answer.status_code == 421
    assert "must send the bot's address as Host" in answer.text
    assert "qemu" not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:9199", "localhost:9199", "LOCALHOST", "bot:9199", "[::1]:9199", ""])
async def test_the_page_answers_to_its_addresses_and_to_names_that_nobody_can_register(host: str) -> None:
    async with pages(Being(BOT)) as client:
        answer = await client.get("/", headers={"Host": host})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bot.example.org", True),
        ("BOT.example.org:9199", True),
        ("192.168.1.5:9199", True),
        ("[fe80::1]:9199", True),
        ("dev.localhost", True),
        ("bot.", True),
        ("evil.bot.example.org", False),
        ("bot.example.org.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("127.0.0.1@evil.example", False),
        ("localhost.evil.example:9199", False),
        ("evil.example:80:80", False),
        ("1.2.3.4.5", False),
    ],
)
def test_which_names_are_ours(header: str, expected: bool) -> None:
    assert is_ours(header, OURS) is expected
