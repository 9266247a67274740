"""What mails say is read alike by every Python on this machine that the bot can run on."""

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_NEWER = ("3.12", "3.13", "3.14")
_ODD = {
    "headers": [
        "alice@x.org <alice@x.org>, Bob B <bob@y.org>, list@z.org",
        "Doe, John <j@x.org>, k@y.org",
        '"Unclosed <a@x.org>, b@y.org',
        "a@x.org b@y.org, c@z.org",
        "a@x.org (was: b@y.org), c@z.org",
        "a@b@c.org, d@e.org",
        "Team: a@x.org, b@y.org;, c@z.org",
        '"a@evil.org" <b@y.org>',
        "=?utf-8?q?J=C3=B6rg?= <j@x.org>, =?utf-8?q?broken <k@x.org>",
        "A <a@x.org<mailto:a@x.org>>, <\u200bb@y.org >, c@z.org\ufeff",
    ],
    "messages": [
        "Fix it\n\nReviewed-by: Ada Beispiel <ada@example.org> # for the parts of x@example.org\n",
        'Reviewed-by: "a@evil.org" <b@y.org>\nTested-by: Bruno\nAcked-by: a@x.org, b@y.org\n',
        "Acked-by: alice@x.org <alice@x.org>\nAcked-by: <a@x.org> <b@y.org>\nReviewed-by: (nobody)\n",
        "Reviewed-by: A <a@x.org\nReviewed-by:\u00a0=?utf-8?b?SsO2cmc=?= <a@x.org>\nAcked-by: a@b@c.org\n",
    ],
}
_SCRIPT = """
import json, sys
from bot.patchwork.mails import addresses, person, trailers_of

odd = json.load(sys.stdin)
headers = [(addresses([each]), person(each).name, person(each).email) for each in odd["headers"]]
messages = [sorted((each.kind.value, each.person, each.name) for each in trailers_of(text)) for text in odd["messages"]]
print(json.dumps([headers, messages]))
"""


def _others() -> list[str]:
    """Newer Pythons beside this one: on the PATH, or installed in the same place."""
    beside = (path for path in Path(sys.base_prefix).parent.glob("*/bin/python3.*") if path.name[6:] in _NEWER)
    on_path = (shutil.which(f"python{version}") for version in _NEWER)
    return sorted(path for path in {str(Path(path)) for path in (*beside, *on_path) if path is not None} if _runs(path))


def _runs(python: str) -> bool:
    """Whether it is more than the name of a Python that version managers know but do not have."""
    return subprocess.run((python, "-c", ""), capture_output=True, check=False).returncode == 0  # noqa: S603  # the same


def _read_by(python: str) -> object:
    # Nothing that is compiled is imported; of the installed packages only the bot's own metadata is read.
    path = f"{_ROOT}:{sysconfig.get_path('purelib')}"
    answer = subprocess.run(  # noqa: S603  # a Python of this machine
        (python, "-c", _SCRIPT),
        input=json.dumps(_ODD),
        capture_output=True,
        text=True,
        env={"PYTHONPATH": path},
        check=True,
    )
    return json.loads(answer.stdout)


@pytest.mark.skipif(not _others(), reason="there is no newer Python on this machine")
def test_odd_addresses_and_trailers_are_read_alike_by_newer_pythons() -> None:
    expected = _read_by(sys.executable)

    assert {python: _read_by(python) for python in _others()} == dict.fromkeys(_others(), expected)
