"""Tokens, rights and PATCH on the sample server, as measured on Patchwork 2.1.6, 2.2.6, 3.1.3 and main."""

import json
from typing import Any

import pytest

from bot.clock import VirtualClock
from bot.sample_patchwork.patchwork import SamplePatchwork
from support.rig import PROJECT, a_series

VERSIONS = {
    "2.1": ("1.0", "1.1"),
    "2.2": ("1.0", "1.1", "1.2"),
    "3.1": ("1.0", "1.1", "1.2", "1.3"),
}
SLUGS = (
    "new, under-review, accepted, rejected, rfc, not-applicable, changes-requested, awaiting-upstream, superseded, "
    "deferred"
)
NAMES = (
    "New, Under Review, Accepted, Rejected, RFC, Not Applicable, Changes Requested, Awaiting Upstream, Superseded, "
    "Deferred"
)


class Server:
    """A server of one version with a patch, and tokens of a maintainer and of somebody else."""

    def __init__(self, version: str = "3.1") -> None:
        self.patchwork = SamplePatchwork(VirtualClock(), api_versions=VERSIONS[version])
        self.patchwork.add_project(PROJECT, "QEMU Development", maintainers=("ann",))
        self.patch = self.patchwork.post_series(PROJECT, a_series("hw/a.c")).patches[0]
        self.tokens = {name: self.patchwork.add_token(name) for name in ("ann", "bob")}
        self.api = max(VERSIONS[version])

    def ask(self, method: str, path: str, who: str = "", body: object = None) -> tuple[int, Any]:
        """The status and the content of an answer to somebody, or to nobody."""
        headers = {"content-type": "application/json"}
        headers |= {"Authorization": f"Token {self.tokens.get(who, who)}"} if who else {}
        path, _, query = path.partition("?")
        told = b"" if body is None else json.dumps(body).encode()
        answer = self.patchwork.answer(method, f"/api/{self.api}/{path}", query, headers, told)
        return answer.status, json.loads(answer.body)

    def write(self, who: str, **fields: object) -> tuple[int, Any]:
        """Change the patch."""
        return self.ask("PATCH", f"patches/{self.patch}/", who, fields)

    @property
    def row(self) -> Any:
        """The patch, as the database has it."""
        return self.patchwork.rows.patches[self.patch]


@pytest.fixture(params=VERSIONS)
def server(request: pytest.FixtureRequest) -> Server:
    return Server(request.param)


def test_users_are_shown_to_whoever_has_a_token(server: Server) -> None:
    assert server.ask("GET", "users/") == (403, {"detail": "Authentication credentials were not provided."})
    assert server.ask("GET", "users/", "x" * 40) == (403, {"detail": "Invalid token."})

    status, found = server.ask("GET", "users/?q=BOB", "ann")

    assert (status, [user["username"] for user in found]) == (200, ["bob"])


def test_a_wrong_token_makes_even_public_pages_unreadable(server: Server) -> None:
    assert server.ask("GET", "patches/", "x" * 40) == (403, {"detail": "Invalid token."})
    server.patchwork.deactivate("ann")
    assert server.ask("GET", "patches/", "ann") == (403, {"detail": "User inactive or deleted."})


def test_settings_are_shown_to_their_owner_alone_since_2_2(server: Server) -> None:
    own, others = (server.patchwork._site.account(name) for name in ("ann", "bob"))

    shown = ["settings" in server.ask("GET", f"users/{user}/", "ann")[1] for user in (own, others)]
    writable = ["actions" in server.ask("OPTIONS", f"users/{user}/", "ann")[1] for user in (own, others)]

    assert shown == [server.api >= "1.2", False]
    assert writable == [True, False]


def test_a_patch_is_written_by_maintainers_delegates_and_its_submitter(server: Server) -> None:
    refused = (403, {"detail": "You do not have permission to perform this action."})

    assert server.write("") == (403, {"detail": "Authentication credentials were not provided."})
    assert server.write("bob", state="accepted") == refused
    assert server.write("ann", state="accepted")[1]["state"] == "accepted"
    server.patchwork.set_delegate(server.patch, "bob")
    assert server.write("bob", state="rejected")[0] == 200
    server.patchwork.set_delegate(server.patch, None)
    assert server.write("bob", state="new") == refused
    server.patchwork._site.accounts.owners[server.row.submitter] = server.patchwork._site.account("bob")
    assert server.write("bob", state="superseded")[0] == 200
    assert server.row.state == "superseded"


def test_a_patch_that_is_not_there_is_not_found_whoever_asks(server: Server) -> None:
    assert server.ask("PATCH", "patches/999/", "bob", {}) == (404, {"detail": "No Patch matches the given query."})


@pytest.mark.parametrize("spelled", ["under-review", "Under Review", "under review"])
def test_a_state_is_spelled_as_a_slug_or_by_its_name(server: Server, spelled: str) -> None:
    assert server.write("ann", state=spelled)[1]["state"] == "under-review"


def test_a_state_that_is_not_there_is_answered_with_those_that_are(server: Server) -> None:
    known = NAMES if server.api == "1.1" else SLUGS

    assert server.write("ann", state="merged") == (400, {"state": [f"Invalid state merged. Expected one of: {known}."]})
    assert server.write("ann", state=None) == (400, {"state": ["This field may not be null."]})


def test_a_delegate_is_the_id_of_a_maintainer(server: Server) -> None:
    ann, bob = (server.patchwork._site.account(name) for name in ("ann", "bob"))

    assert server.write("ann", delegate=ann)[1]["delegate"]["username"] == "ann"
    assert server.write("ann", delegate=bob) == (
        400,
        {"delegate": ["User 'bob' is not a maintainer for project 'QEMU Development'"]},
    )
    assert server.write("ann", delegate=999) == (400, {"delegate": ['Invalid pk "999" - object does not exist.']})
    assert server.write("ann", delegate="ann") == (
        400,
        {"delegate": ["Incorrect type. Expected pk value, received str."]},
    )
    assert server.write("ann", delegate=None)[1]["delegate"] is None


def test_all_values_are_judged_before_one_is_written(server: Server) -> None:
    wrong = '"maybe" is not a valid boolean.' if server.api == "1.1" else "Must be a valid boolean."

    assert server.write("ann", state="accepted", archived="maybe") == (400, {"archived": [wrong]})
    assert (server.row.state, server.row.archived) == ("new", False)
    assert server.write("ann", state="accepted", archived=True, nonsense=1)[0] == 200
    assert (server.row.state, server.row.archived) == ("accepted", True)


def test_events_name_the_account_since_2_2_and_none_tells_of_the_archive(server: Server) -> None:
    before = len(server.patchwork.rows.events)
    server.write("ann", state="accepted", archived=True)
    server.write("ann", state="accepted")

    (event,) = server.patchwork.rows.events[before:]

    _, shown = server.ask("GET", "events/?order=-date&per_page=1")
    assert event.category == "patch-state-changed"
    assert [(each.get("actor") or {}).get("username") for each in shown] == [None if server.api == "1.1" else "ann"]


def test_maintainers_have_the_ids_of_their_profiles_which_may_be_those_of_others(server: Server) -> None:
    server.patchwork.set_profiles_ahead(1)

    _, project = server.ask("GET", f"projects/{PROJECT}/")

    (maintainer,) = project["maintainers"]
    assert maintainer["username"] == "ann"
    assert maintainer["id"] == server.patchwork._site.account("ann") + 1


def test_what_is_no_json_and_other_methods_are_refused() -> None:
    server = Server()
    headers = {"content-type": "application/json", "authorization": f"Token {server.tokens['ann']}"}
    path = f"/api/1.3/patches/{server.patch}/"

    garbled = server.patchwork.answer("PATCH", path, "", headers, b"{bad")
    form = server.patchwork.answer("PATCH", path, "", {**headers, "content-type": "text/plain"}, b"x")
    deleted = server.patchwork.answer("DELETE", path, "", headers)
    moved = server.patchwork.answer("PATCH", path.removesuffix("/"), "", headers, b"{}")

    assert (garbled.status, b"JSON parse error - " in garbled.body) == (400, True)
    assert (form.status, form.body) == (415, b'{"detail":"Unsupported media type \\"text/plain\\" in request."}')
    assert (deleted.status, deleted.body) == (405, b'{"detail":"Method \\"DELETE\\" not allowed."}')
    assert (moved.status, moved.headers["location"]) == (301, path)
