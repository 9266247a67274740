"""Records what a real Patchwork server answers after the story: `record_patchwork.py URL VERSIONS FILE BASE COMMAND…`.

COMMAND takes in a mail on its standard input; `--list-id=ID` is appended. The accounts' tokens are their names.
BASE is the file of
another server, "" where there is none: what that answered, too, is left out. `README.md` tells what the server needs.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parent.parent))

from bot.sample_patchwork.mail import Mail
from support.recorded_requests import Recorder, comparable, key_of
from support.recorded_story import DEVEL, MAINTAINER, REVIEWER, Address, Delivery, Edit, Report, story


def mail_bytes(mail: Mail) -> bytes:
    """The mail as it is sent, with a "---" between text and diff as Git writes it."""
    headers = [f"{name}: {value}" for name, value in mail.headers]
    return "\n".join([*headers, "", mail.content + (mail.diff or "")]).encode()


class RealServer:
    """A server on this machine that is given the story."""

    def __init__(self, url: str, newest: str, command: list[str]) -> None:
        self.http = httpx.Client(base_url=url, trust_env=False)
        self._newest = newest
        self._command = command

    def tell(self) -> None:
        """Let everything happen."""
        for step in story(self._newest):
            match step:
                case Delivery(mail, project):
                    command = [*self._command, f"--list-id={project}.example.org"]
                    subprocess.run(command, input=mail_bytes(mail), check=False)  # noqa: S603  # who records gives it
                case Edit():
                    self._edit(step)
                case Report(msgid, check):
                    told = {key: getattr(check, key) for key in ("state", "context", "description", "target_url")}
                    body = {key: value for key, value in told.items() if value}
                    self._write("POST", f"/patches/{self._patch(msgid)}/checks/", body, check.user)
                case Address(msgid) if self._newest >= "1.3":
                    comments = f"/patches/{self._patch(msgid)}/comments/"
                    first = self._get(comments)[0]["id"]
                    self._write("PATCH", f"{comments}{first}/", {"addressed": True}, MAINTAINER)

    def _edit(self, edit: Edit) -> None:
        value: object = edit.value
        if edit.field == "delegate" and value is not None:
            value = (MAINTAINER, REVIEWER).index(str(value)) + 1
        if isinstance(edit.value, tuple):
            value = [self._patch(other) for other in edit.value]
        self._write("PATCH", f"/patches/{self._patch(edit.msgid)}/", {edit.field: value}, edit.user)

    def _patch(self, msgid: str) -> int:
        return int(self._get("/patches/", msgid=msgid, project=DEVEL)[0]["id"])

    def _get(self, path: str, **query: str) -> Any:
        return self.http.get(f"/api/{self._newest}{path}", params=query).json()

    def _write(self, method: str, path: str, body: object, user: str) -> None:
        headers = {"Authorization": f"Token {user}"}
        self.http.request(method, f"/api/{self._newest}{path}", json=body, headers=headers).raise_for_status()


def main(url: str, versions: str, file: str, base: str, *command: str) -> None:
    """Tell the story, and record what another server, whose file is *base*, does not answer alike."""
    spoken = versions.split(",")
    server = RealServer(url, spoken[-1], list(command))
    if command:
        server.tell()

    def ask(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        answer = server.http.get(path, headers=headers)
        return answer.status_code, dict(answer.headers), answer.content

    answers = Recorder(ask, spoken, url).record()
    if base:
        known = {key_of(answer): comparable(answer) for answer in json.loads(Path(base).read_text())["answers"]}
        answers = [answer for answer in answers if known.get(key_of(answer)) != comparable(answer)]
    lines = [json.dumps(answer, ensure_ascii=False, separators=(",", ":")) for answer in answers]
    head = json.dumps(spoken)
    Path(file).write_text('{"versions": ' + head + ', "answers": [\n' + ",\n".join(lines) + "\n]}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
