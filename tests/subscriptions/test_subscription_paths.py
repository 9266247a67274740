import re
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.query.index import path_trie as paths
from bot.query.index.globs import PatternError, glob_matches
from bot.query.index.path_trie import PathTrie, read_pattern


def naive_glob(glob: str, name: str) -> bool:
    """The reference for one component: every way of reading the glob is tried."""
    if not glob:
        return not name
    if glob[0] == "*":
        return naive_glob(glob[1:], name) or (bool(name) and naive_glob(glob, name[1:]))
    if not name:
        return False
    if glob[0] == "[":
        end = glob.index("]", 3 if glob[1] in "!^" else 2)
        return naive_set(glob[1:end], name[0]) and naive_glob(glob[end + 1 :], name[1:])
    return glob[0] in {"?", name[0]} and naive_glob(glob[1:], name[1:])


def naive_set(inside: str, character: str) -> bool:
    if inside[0] in "!^":
        return not naive_set(inside[1:], character)
    if len(inside) >= 3 and inside[1] == "-":
        return inside[0] <= character <= inside[2] or (len(inside) > 3 and naive_set(inside[3:], character))
    return inside[0] == character or (len(inside) > 1 and naive_set(inside[1:], character))


def naive_match(pattern: str, path: str) -> bool:
    """The reference for whole patterns: lists of components, no index."""
    names = path.split("/")
    globs = pattern.removeprefix("/").split("/")
    if globs[-1] == "":
        return any(naive_components(globs[:-1], names[:end]) for end in range(len(names)))
    if globs[-1] == "**":
        return naive_match("/".join(globs[:-1]) + "/", path) if globs[:-1] else True
    if any(sign in globs[-1] for sign in "*?["):
        return naive_components(globs, names)
    return any(naive_components(globs, names[:end]) for end in range(1, len(names) + 1))


def naive_components(globs: list[str], names: list[str]) -> bool:
    if not globs:
        return not names
    if globs[0] == "**":
        return any(naive_components(globs[1:], names[start:]) for start in range(len(names) + 1))
    return bool(names) and naive_glob(globs[0], names[0]) and naive_components(globs[1:], names[1:])


NAMES = st.sampled_from(["a", "b", "ab", "ba", "a.c", "b.h", "abab", "aab"])
PATHS = st.lists(NAMES, min_size=1, max_size=5).map("/".join)
LAST_NAMES = NAMES | st.sampled_from(["*", "a*", "*b", "*.c", "?", "??", "a*b", "*a*", "[ab]", "[!a]*", "a?*"])
PATTERNS = st.builds(
    lambda slash, folders, last, end: slash + "/".join([*folders, last]) + end,
    st.sampled_from(["", "/"]),
    st.lists(LAST_NAMES | st.just("**"), max_size=4),
    LAST_NAMES | st.just("**"),
    st.sampled_from(["", "", "/"]),
)
GLOBS = st.lists(st.sampled_from([*"ab-]*?", "[ab]", "[!b]", "[]a]", "[a-b]", "[^a-]", "[b-a]"]), max_size=8)


def matching(patterns: list[str], path: str) -> set[str]:
    trie: PathTrie[str] = PathTrie()
    for pattern in patterns:
        trie.add(pattern, pattern)
    return trie.matches(path)


@pytest.mark.parametrize(
    ("pattern", "hits", "misses"),
    [
        ("migration", ["migration", "migration/ram.c", "migration/a/b.c"], ["migration.c", "a/migration"]),
        ("migration/", ["migration/ram.c", "migration/a/b.c"], ["migration", "hw/migration/x.c"]),
        ("/migration/", ["migration/ram.c"], ["hw/migration/x.c"]),
        ("hw/net/e1000.c", ["hw/net/e1000.c"], ["hw/net/e1000.h", "net/e1000.c", "hw/net"]),
        ("hw/*", ["hw/x.c"], ["hw/net/x.c", "hw"]),
        ("hw/*/", ["hw/net/x.c", "hw/net/a/x.c"], ["hw/x.c"]),
        ("hw/*.c", ["hw/x.c", "hw/.c"], ["hw/net/x.c", "hw/x.h"]),
        ("hw/*/virtio", ["hw/a/virtio", "hw/a/virtio/x.c"], ["hw/virtio", "hw/a/b/virtio"]),
        ("hw/virtio*", ["hw/virtio.c", "hw/virtio"], ["hw/virtio-net/x.c"]),
        ("hw/?.c", ["hw/x.c"], ["hw/xy.c", "hw/.c"]),
        ("[Mm]akefile", ["Makefile", "makefile"], ["bakefile", "a/Makefile"]),
        ("[!a-c]*", ["d.c", "D"], ["a.c", "b", "c/d"]),
        ("[]x]", ["]", "x"], ["[", "]x"]),
        ("a[*]", ["a*"], ["ab", "a"]),
        ("a\\*", ["a\\", "a\\b"], ["a*"]),
        ("**/x.c", ["x.c", "a/x.c", "a/b/x.c"], ["a/x.cc", "xx.c"]),
        ("**/test", ["test", "a/test/b", "test/b"], ["a/tests/b"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b", "a/x/b/z"], ["b", "a", "x/a/b"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "b/a"]),
        ("**", ["a", "a/b"], []),
        ("**/", ["a", "a/b"], []),
        ("**/a/**/b/**/c.h", ["a/b/c.h", "x/a/x/b/x/c.h"], ["b/a/c.h", "a/c.h"]),
        ("**/*.dts*", ["x.dts", "a/b/x.dtsi"], ["a.dts/b"]),
        ("Documentation", ["Documentation/x.rst"], ["documentation/x.rst"]),
    ],
)
def test_a_pattern_takes_exactly_its_paths(pattern: str, hits: list[str], misses: list[str]) -> None:
    taken = [path for path in [*hits, *misses] if matching([pattern], path)]

    assert taken == hits


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "is empty"),
        ("/", "is empty"),
        ("//a", "has two slashes in a row"),
        ("a//b", "has two slashes in a row"),
        ("a//", "has two slashes in a row"),
        ("../a", "has .. in it; paths start at the root of the tree"),
        ("./a", "has . in it; paths start at the root of the tree"),
        ("a/..", "has .. in it; paths start at the root of the tree"),
        ("a[bc", "has a [ without its ]"),
        ("a[b/c]", "has a [ without its ]"),
        ("a[!]", "has a [ without its ]"),
        ("a" * 257, "has 257 characters; at most 256"),
    ],
)
def test_a_pattern_that_could_never_match_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(PatternError) as caught:
        read_pattern(pattern)

    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("typed", "canonical"), [("/a/b/", "a/b/"), ("a/b", "a/b"), ("/a", "a"), ("a/**", "a/**"), (".github", ".github")]
)
def test_the_canonical_form_drops_a_leading_slash_and_keeps_a_trailing_one(typed: str, canonical: str) -> None:
    assert read_pattern(typed).text == canonical


@given(GLOBS.map("".join), st.text("ab-]", max_size=8))
def test_a_glob_matches_as_the_naive_reading_does(glob: str, name: str) -> None:
    assert glob_matches(glob, name) == naive_glob(glob, name)


@given(st.text(string.ascii_letters + "!^-]é𐍈", min_size=1, max_size=5), st.characters())
def test_a_set_takes_the_same_characters_as_re(inside: str, character: str) -> None:
    """The one place where a plain `re` may be asked: a bracket cannot run away."""
    body = inside[1:] if inside[0] in "!^" else inside
    assume(body and "]" not in body and not re.search(".-.", body))
    expected = re.fullmatch(f"[{'^' if inside[0] in '!^' else ''}{re.escape(body)}]", character, re.DOTALL)

    assert glob_matches(f"[{inside}]", character) == bool(expected)


@given(st.lists(PATTERNS, max_size=12), st.lists(PATHS, max_size=12))
def test_the_trie_finds_what_the_naive_matcher_finds(patterns: list[str], candidates: list[str]) -> None:
    trie: PathTrie[str] = PathTrie()
    for pattern in patterns:
        trie.add(pattern, pattern)

    for path in candidates:
        assert trie.matches(path) == {pattern for pattern in patterns if naive_match(pattern, path)}


CROWD = [
    *(f"{word}*" for word in ("a", "ab", "aba", "abab", "ababa", "abababab", "ababababa")),
    *(f"*{word}" for word in ("b", "ab", "bab", ".c", "aab.c", "ababab.c", "abababab.c")),
    *(f"*{first}{second}{third}*" for first in "abc" for second in "abc." for third in ("", "a", "b.")),
    *(f"{word}*[.b]?" for word in ("", "a", "ab", "abc", "abca")),
]


@given(st.lists(st.tuples(st.sampled_from(CROWD), st.booleans()), max_size=60), st.text("abc.", max_size=12))
def test_a_directory_crowded_with_globs_answers_as_the_naive_matcher(
    changes: list[tuple[str, bool]], name: str
) -> None:
    trie: PathTrie[str] = PathTrie()
    present = set(CROWD)
    for glob in CROWD:
        trie.add(f"dir/{glob}", glob)
    trie.matches(f"dir/{name}")
    for glob, is_added in changes:
        (trie.add if is_added else trie.remove)(f"dir/{glob}", glob)
        (present.add if is_added else present.discard)(glob)

    assert trie.matches(f"dir/{name}") == {glob for glob in present if name and naive_glob(glob, name)}


@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "ask"]), PATTERNS, st.integers(0, 2), PATHS), max_size=40))
def test_changes_leave_the_trie_as_a_fresh_one(steps: list[tuple[str, str, int, str]]) -> None:
    trie: PathTrie[int] = PathTrie()
    present: set[tuple[str, int]] = set()
    for action, pattern, id_, path in steps:
        if action == "add":
            trie.add(pattern, id_)
            present.add((read_pattern(pattern).text, id_))
        elif action == "remove":
            trie.remove(pattern, id_)
            gone = read_pattern(pattern)
            present = {
                (other, each)
                for other, each in present
                if each != id_ or (read_pattern(other).folders, read_pattern(other).last) != (gone.folders, gone.last)
            }
        assert trie.matches(path) == {each for other, each in present if naive_match(other, path)}


@given(st.lists(st.tuples(PATTERNS, st.integers(0, 3)), max_size=20), PATHS)
def test_a_trie_whose_patterns_are_all_removed_is_empty(added: list[tuple[str, int]], path: str) -> None:
    trie: PathTrie[int] = PathTrie()
    for pattern, id_ in added:
        trie.add(pattern, id_)
    trie.matches(path)

    for pattern, id_ in added:
        trie.remove(pattern, id_)

    assert trie._root.is_empty
    assert trie.matches(path) == set()


@pytest.mark.parametrize(
    ("glob", "name"),
    [
        ("*a*a*a*a*a*a*a*a*b", "a" * 100_000),
        ("*" + "?" * 200 + "b", "a" * 100_000),
        ("*" + "[!b]" * 60 + "b", "a" * 100_000),
        ("*" + "a" * 250 + "b", "a" * 100_000),
        ("".join(f"[{chr(start)}-\U0010ffff]*" for start in range(32, 80)), "".join(map(chr, range(32, 50_000)))),
    ],
)
def test_a_hostile_glob_takes_one_step_a_character(glob: str, name: str) -> None:
    assert glob_matches(glob, name) == glob.endswith("]*")


@pytest.mark.parametrize(
    "pattern", ["**/a/" * 50 + "b", "**/a*/" * 40 + "b", "**/" + "a/" * 120 + "b", "**/" + "*/" * 120 + "b"]
)
def test_a_hostile_pattern_is_done_with_a_deep_path(pattern: str) -> None:
    assert matching([pattern], "a/" * 2000 + "c") == set()


def test_odd_slashes_in_a_path_leave_other_answers_right() -> None:
    trie: PathTrie[int] = PathTrie()
    trie.add("a/x.c", 1)

    for odd in ["//x.c", "//a/x.c", "a//x.c", "/", "", "a/"]:
        trie.matches(odd)

    assert trie.matches("x.c") == set()
    assert trie.matches("a/x.c") == {1}


def test_directories_are_remembered_only_up_to_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "_MAX_STATES", 10)
    trie: PathTrie[int] = PathTrie()
    trie.add("**/x.c", 1)

    for number in range(100):
        assert trie.matches(f"a{number}/x.c") == {1}

    assert len(trie._states) <= 10


def test_a_very_long_directory_name_is_not_remembered() -> None:
    trie: PathTrie[int] = PathTrie()
    trie.add("**/x.c", 1)

    found = trie.matches("a/" * 1000 + "x.c")

    assert found == {1}
    assert max(map(len, trie._states)) <= 256
