"""A tree of files, patches for it, and path patterns as maintainers write them.

The patterns have the mix of Linux's MAINTAINERS: 58 % files, 24 % directories, 16 % globs for a name, 2 % with
one for a directory.
"""

import random
from collections.abc import Sequence


def a_tree(rng: random.Random) -> list[str]:
    """Some 60,000 files in 5,000 directories."""
    folders = [f"{letter}{number}" for letter in "abcd" for number in range(6)]
    while len(folders) < 5_000:
        parent = rng.choice(folders)
        if parent.count("/") < 5:
            folders.append(f"{parent}/{a_word(rng)}")
    ends = [".c", ".c", ".c", ".h", ".h", ".rst", ".yaml", ".dts"]
    return sorted({f"{rng.choice(folders)}/{a_word(rng)}-{a_word(rng)}{rng.choice(ends)}" for _ in range(60_000)})


def a_word(rng: random.Random) -> str:
    """Three to eight letters."""
    return "".join(rng.choices("abcdefghiklmnoprstuvxyz", k=rng.randint(3, 8)))


def a_patch(rng: random.Random, files: Sequence[str]) -> list[str]:
    """One to eight neighbours in the tree, two and a half on average; some parts see more work than others."""
    first = int((len(files) - 8) * rng.random() ** 3)
    return list(files[first : first + min(8, 1 + int(rng.expovariate(0.5)))])


def a_pattern(rng: random.Random, files: Sequence[str]) -> str:
    """One pattern that matches at least one of *files*."""
    path = rng.choice(files)
    folder, _, name = path.rpartition("/")
    components = folder.split("/")
    kind = rng.random()
    if kind < 0.58:
        return path
    if kind < 0.82:
        return "/".join(components[: rng.randint(1, len(components))]) + "/"
    if kind < 0.98:
        return f"{folder}/{a_glob(rng, name)}"
    components[rng.randrange(len(components))] = "*"
    return "/".join(components) + "/"


def a_glob(rng: random.Random, name: str) -> str:
    """One of the globs that people write for a *name* like this."""
    word, _, rest = name.partition("-")
    globs = [f"{word}*", f"{word[:3]}*", f"*{rest}", f"*{word[1:]}*", f"{word[:2]}*.[ch]", "*.c"]
    return rng.choices(globs, weights=[5, 3, 3, 2, 3, 2])[0]
