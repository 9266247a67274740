import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ids import Msgid
from bot.patchwork.references import MAX_LENGTH, Ref, RefKind, host_of, read_ref

HOST = "patchwork.ozlabs.org"
LORE = "lore.kernel.org"
MSGID = Msgid("20260206-x-v6-11-27@web.de")
P, S, C = RefKind.PATCH, RefKind.SERIES, RefKind.COVER


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("2194095", Ref(2194095)),
        (" 2194095\n", Ref(2194095)),
        ("2147483647", Ref(2147483647)),
        ("ozlabs:2194095", Ref(2194095, server="ozlabs")),
        ("my-server_2.x:5", Ref(5, server="my-server_2.x")),
        (MSGID, Ref(msgid=MSGID)),
        (f"<{MSGID}>", Ref(msgid=MSGID)),
        (f"id:{MSGID}", Ref(msgid=MSGID)),
        (f"mid:<{MSGID}>", Ref(msgid=MSGID)),
        (f"Message-ID: <{MSGID}>", Ref(msgid=MSGID)),
        (f"msgid:{MSGID}", Ref(msgid=MSGID)),
        ("id:5", Ref(5, server="id")),
        ("a/b%2F$@x", Ref(msgid=Msgid("a/b%2F$@x"))),
        ("1@localhost@example.org", Ref(msgid=Msgid("1@localhost@example.org"))),
        # patches, of every generation
        (f"http://{HOST}/patch/5/", Ref(5, kind=P, host=HOST)),
        (f"https://{HOST}/patch/5", Ref(5, kind=P, host=HOST)),
        (f"<https://{HOST}/patch/5/>", Ref(5, kind=P, host=HOST)),
        (f"HTTPS://{HOST.upper()}:443/patch/5/mbox/", Ref(5, kind=P, host=HOST)),
        (f"https://me:secret@{HOST}/patch/5/raw/#1234", Ref(5, kind=P, host=HOST)),
        (f"https://{HOST}:8443/patch/5/", Ref(5, kind=P, host=f"{HOST}:8443")),
        (f"https://{HOST}/patchwork/patch/5/", Ref(5, kind=P, host=HOST)),
        (f"https://{HOST}/project/qemu/patch/{MSGID}/", Ref(msgid=MSGID, kind=P, host=HOST, project="qemu")),
        (f"https://{HOST}/project/qemu/patch/{MSGID}/mbox/", Ref(msgid=MSGID, kind=P, host=HOST, project="qemu")),
        (f"https://{HOST}/pw/project/q/patch/1%40x/", Ref(msgid=Msgid("1@x"), kind=P, host=HOST, project="q")),
        (f"https://{HOST}/project/q/patch/a%252Fb@x/", Ref(msgid=Msgid("a/b@x"), kind=P, host=HOST, project="q")),
        (f"https://{HOST}/project/q/patch/a%2525b@x/", Ref(msgid=Msgid("a%25b@x"), kind=P, host=HOST, project="q")),
        # covers and series
        (f"https://{HOST}/cover/5/", Ref(5, kind=C, host=HOST)),
        (f"https://{HOST}/project/q/cover/1@x/", Ref(msgid=Msgid("1@x"), kind=C, host=HOST, project="q")),
        (f"https://{HOST}/series/5/", Ref(5, kind=S, host=HOST)),
        (f"https://{HOST}/series/5/mbox/", Ref(5, kind=S, host=HOST)),
        (f"https://{HOST}/project/q/list/?series=5", Ref(5, kind=S, host=HOST)),
        (f"https://{HOST}/project/q/list/?state=*&series=5&archive=both", Ref(5, kind=S, host=HOST)),
        # the API
        (f"https://{HOST}/api/patches/5/", Ref(5, kind=P, host=HOST)),
        (f"https://{HOST}/api/1.3/patches/5/?format=api", Ref(5, kind=P, host=HOST)),
        (f"https://{HOST}/api/1.2/patches/?msgid=1%40x", Ref(msgid=Msgid("1@x"), kind=P, host=HOST)),
        (f"https://{HOST}/api/1.3/series/5/", Ref(5, kind=S, host=HOST)),
        (f"https://{HOST}/api/covers/5/", Ref(5, kind=C, host=HOST)),
        # archives
        (f"https://{LORE}/qemu-devel/{MSGID}/", Ref(msgid=MSGID, host=LORE)),
        (f"https://{LORE}/qemu-devel/{MSGID}", Ref(msgid=MSGID, host=LORE)),
        (f"https://{LORE}/qemu-devel/{MSGID}/T/#t", Ref(msgid=MSGID, host=LORE)),
        (f"https://{LORE}/qemu-devel/{MSGID}/T/#u", Ref(msgid=MSGID, host=LORE)),
        (f"https://{LORE}/all/{MSGID}/raw", Ref(msgid=MSGID, host=LORE)),
        (f"https://{LORE}/all/{MSGID}/t.mbox.gz", Ref(msgid=MSGID, host=LORE)),
        (f"https://{LORE}/r/{MSGID}", Ref(msgid=MSGID, host=LORE)),
        (f"https://{LORE}/all/a%2Fb@x/", Ref(msgid=Msgid("a/b@x"), host=LORE)),
        (f"https://patch.msgid.link/{MSGID}", Ref(msgid=MSGID, host="patch.msgid.link")),
        ("https://groups.google.com/d/msgid/list/1%40x", Ref(msgid=Msgid("1@x"), host="groups.google.com")),
    ],
)
def test_what_is_a_reference(text: str, ref: Ref) -> None:
    assert read_ref(text) == ref


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-5",
        "5.0",
        "٥",
        "2147483648",
        "9" * 400,
        "ozlabs:0",
        "ozlabs:99999999999",
        "no reference",
        "word",
        "@ada:example.org",
        "ada@",
        "a b@x",
        "a\x00b@x",
        "a\u202eb@x",
        "\ud800@x",
        "x" * MAX_LENGTH + "@x",
        "ftp://example.org/patch/5/",
        "https://",
        "https:///patch/5/",
        "https://[::1/patch/5/",
        "https://\u2100.example/patch/5/",
        f"https://{HOST}/",
        f"https://{HOST}/patch/99999999999/",
        f"https://{HOST}/project/q/list/",
        f"https://{HOST}/project/q/list/?series=x",
        f"https://{HOST}/project/q/list/?" + "&".join("a" * 60) + "&series=5",
        f"https://{HOST}/project/q/patch/%00@x/",
        f"https://{HOST}/comment/5/",
        "https://lists.example.org/archives/list/qemu-devel@nongnu.org/message/ABCDEF/",
        "https://www.mail-archive.com/qemu-devel@nongnu.org/msg1234567.html",
        "https://groups.google.com/g/list/c/AbCd/m/EfGh",
    ],
)
def test_what_is_no_reference(text: str) -> None:
    assert read_ref(text) is None


piece = st.sampled_from(
    ["https://", "h.example", "/", "project", "patch", "list", "?series=", "%25", "%2F", "5", "@", ":"]
)


@given(st.text(st.characters()) | st.lists(piece | st.text(max_size=5), max_size=20).map("".join))
def test_reading_never_fails_and_what_it_finds_can_be_asked_for(text: str) -> None:
    ref = read_ref(text)

    if ref is not None:
        assert (ref.number is None) != (ref.msgid is None)
        assert ref.number is None or 0 < ref.number < 2**31
        assert ref.msgid is None or (0 < len(ref.msgid) <= MAX_LENGTH and ref.msgid.isprintable())


@pytest.mark.parametrize("unit", ["a", "@", "/", "%25", "<", "&", "a/patch/", "a@", "[", ":"])
def test_reading_takes_no_longer_for_a_long_text(unit: str) -> None:
    texts = ["https://h/" + unit * (900 // len(unit)), unit * (900 // len(unit)), unit * 1_000_000]

    start = time.process_time()  # whatever else the machine does
    for text in texts:
        read_ref(text)

    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://A.example", "a.example"),
        ("http://a.example:80/x", "a.example"),
        ("https://a.example:/x", "a.example"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("https://[::1]:8000/x", "[::1]:8000"),
        ("a.example", None),
        ("https://[", None),
    ],
)
def test_the_host_of_an_address(address: str, host: str | None) -> None:
    assert host_of(address) == host


_ID = "20260206-x-v6-11-27@web.de"


@pytest.mark.parametrize(
    "wrapped",
    [
        f"https://lore.kernel.org/qemu-devel/{_ID}/.",
        f"(https://lore.kernel.org/qemu-devel/{_ID}/)",
        f"<https://lore.kernel.org/qemu-devel/{_ID}/T/#u>,",
        f"lore.kernel.org/r/{_ID}",
        f"lore.kernel.org/all/{_ID}/2-config.gz",
        f"{_ID},",
        f"`{_ID}`",
        f"**{_ID}**",
        f"[{_ID}]",
        f"“{_ID}”",
        f"<{_ID}>.",
        f"[[PATCH v6]](https://lore.kernel.org/r/{_ID})"[1:].replace("]]", "]", 1),
        f"https://marc.info/?i={_ID}",
        "https://marc.info/?l=qemu-devel&i=20260206-x-v6-11-27%20()%20web%20!%20de",
        f"https://www.mail-archive.com/search?l=mid&q={_ID}",
        f"https://lore.kernel.org/all/?q=m:{_ID}",
        f"https://lore.kernel.org/r/%3C{_ID}%3E",
        f"https:/lore.kernel.org/r/{_ID}",
        f"//lore.kernel.org/r/{_ID}",
        f"（https://lore.kernel.org/r/{_ID}/）。",
        f"「{_ID}」、",
        f"＜{_ID}＞！",
        f"&lt;{_ID}&gt;",
        f"news:{_ID}",
        f"Link: https://lore.kernel.org/r/{_ID}",
    ],
)
def test_a_message_id_is_read_in_whatever_is_wrapped_around_it(wrapped: str) -> None:
    ref = read_ref(wrapped)

    assert ref is not None
    assert ref.msgid == _ID


@pytest.mark.parametrize(
    "wrapped", ["#300", "300.", "(300)", "`300`", "*300*", "300,", "patchwork.ozlabs.org/patch/300/."]
)
def test_an_id_is_read_in_whatever_is_wrapped_around_it(wrapped: str) -> None:
    ref = read_ref(wrapped)

    assert ref is not None
    assert ref.number == 300


@pytest.mark.parametrize("word", ["20.30/x@host", "a/b@host.org"])
def test_a_message_id_with_a_slash_is_no_address_without_its_scheme(word: str) -> None:
    ref = read_ref(word)

    assert ref is not None
    assert (ref.msgid, ref.host) == (word, None)
