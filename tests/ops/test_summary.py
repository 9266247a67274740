"""What `check-config` says."""

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from bot.config import (
    MatrixSettings,
    NetworkSettings,
    PatchworkSettings,
    ProjectSettings,
    RoomSettings,
    Settings,
    StoreSettings,
    WebSettings,
)
from bot.errors import ConfigError, ConfigErrors
from bot.ops.summary import room_queries, sentences


def settings_with(
    *,
    matrix: dict[str, object] | None = None,
    rooms: tuple[RoomSettings, ...] = (),
    incomplete_after_minutes: float = 30,
    store: StoreSettings | None = None,
    network: NetworkSettings | None = None,
    listen: str = "127.0.0.1:9199",
) -> Settings:
    return Settings(
        matrix=MatrixSettings.model_validate(
            {"homeserver": "https://matrix.example.org", "user_id": "@patchbot:example.org", **(matrix or {})}
        ),
        patchwork=(
            PatchworkSettings(
                name="ozlabs",
                url="https://patchwork.ozlabs.org",
                projects=(ProjectSettings(name="qemu-devel"), ProjectSettings(name="qemu-ppc")),
                incomplete_after_minutes=incomplete_after_minutes,
            ),
        ),
        room=rooms,
        store=store or StoreSettings(data_dir=Path("/srv/bot"), url="sqlite:////srv/bot/patchbot.db"),
        network=network or NetworkSettings(),
        web=WebSettings(listen=listen),
    )


def told(settings: Settings) -> list[str]:
    return list(sentences(settings, room_queries(settings), "agent/1 (@ops:example.org)"))


def test_the_least_configuration() -> None:
    assert told(settings_with()) == snapshot(
        [
            "Signs in to https://matrix.example.org as @patchbot:example.org.",
            "Note: still at example.org, as in the example: matrix.homeserver, matrix.user_id.",
            "Note: neither matrix.password nor matrix.access_token is set here; `patchbot run` needs one of them, from the environment (PATCHBOT_MATRIX__PASSWORD) or the secrets directory.",  # noqa: E501  # as it is printed
            "Keeps its database in /srv/bot/patchbot.db, and its device and keys in /srv/bot.",
            "Watches ozlabs (https://patchwork.ozlabs.org) every 60 s for qemu-devel, qemu-ppc; a series that stays incomplete is judged after 30 minutes.",  # noqa: E501  # as it is printed
            "Names @patchbot:example.org as its contact in every request to them.",
            "Sends them this User-Agent: agent/1 (@ops:example.org).",
            "Answers to commands that begin with !pw.",
            "Accepts invitations of *:example.org.",
            "Admins: none.",
            "Shows how it is on 127.0.0.1:9199: to people at /, to machines at /livez, /readyz and /metrics.",
            "Logs from the level info on, as lines of text.",
        ]
    )


def test_everything_set() -> None:
    settings = settings_with(
        matrix={"password": "hunter2", "admins": ["@ops:example.org"], "invite_from": []},
        rooms=(
            RoomSettings(room="#migration:example.org", subscribe=("dfn:/migration/", "prefix:RFC from:@redhat.com")),
            RoomSettings(room="!quiet:example.org"),
        ),
        incomplete_after_minutes=0,
        store=StoreSettings(url="postgresql://bot:hunter2@db:5432/bot?password=hunter2", data_dir=Path("/srv/bot")),
        network=NetworkSettings(proxy="http://me:hunter2@proxy:3128", ca_file="/etc/ssl/ours.pem"),
        listen="",
    )

    assert told(settings) == snapshot(
        [
            "Signs in to https://matrix.example.org as @patchbot:example.org.",
            "Note: still at example.org, as in the example: matrix.homeserver, matrix.user_id, matrix.admins.",
            "Keeps its database in postgresql://db:5432/bot, and its device and keys in /srv/bot.",
            "Watches ozlabs (https://patchwork.ozlabs.org) every 60 s for qemu-devel, qemu-ppc; a series that stays incomplete is judged at once.",  # noqa: E501  # as it is printed
            "Names @ops:example.org as its contact in every request to them.",
            "Sends them this User-Agent: agent/1 (@ops:example.org).",
            "Goes through the proxy http://proxy:3128.",
            "Trusts the certificates in /etc/ssl/ours.pem instead of the system's.",
            "Tells #migration:example.org about: path:migration/",
            "Tells #migration:example.org about: prefix:RFC from:@redhat.com",
            "Joins !quiet:example.org, without a subscription from here.",
            "Answers to commands that begin with !pw.",
            "Accepts no invitations.",
            "Admins: @ops:example.org.",
            "Shows nobody how it is.",
            "Logs from the level info on, as lines of text.",
        ]
    )
    assert "hunter2" not in "\n".join(told(settings))


def test_lanes_and_classes_of_states_are_told() -> None:
    settings = settings_with()
    server = PatchworkSettings.model_validate(
        {
            "name": "kernel.org",
            "url": "https://patchwork.kernel.org",
            "projects": ["netdevbpf"],
            "check_lanes": {"AI": ["sashiko*", "ai-*"]},
            "states": {"waiting": ["Needs Work"], "closed": ["rfc", "deferred"]},
        }
    )

    assert told(settings.model_copy(update={"patchwork": (server,)}))[4:8] == snapshot(
        [
            "Watches kernel.org (https://patchwork.kernel.org) every 60 s for netdevbpf; a series that stays incomplete is judged after 30 minutes.",  # noqa: E501  # as it is printed
            "Checks of kernel.org like sashiko*, ai-* are in the lane AI.",
            "States of kernel.org that are waiting: needs-work.",
            "States of kernel.org that are closed: rfc, deferred.",
        ]
    )


def test_a_path_that_is_probably_meant_deeper_is_noted() -> None:
    settings = settings_with(rooms=(RoomSettings(room="#a:hs", subscribe=("path:*.rst",)),))

    assert "Note: path:*.rst names files at the top of the tree only; for any depth, use path:**/*.rst." in told(
        settings
    )


@pytest.mark.parametrize("query", ["path:a stale:14d", "is:mine"])
def test_a_room_that_would_never_hear_anything_is_told_so(query: str) -> None:
    with pytest.raises(ConfigError) as caught:
        room_queries(settings_with(rooms=(RoomSettings(room="#a:hs", subscribe=(query,)),)))

    assert caught.value.key == "room[0].subscribe[0]"


def test_a_bad_query_names_its_key_and_its_place() -> None:
    settings = settings_with(rooms=(RoomSettings(room="#a:hs", subscribe=("path:a", "path:a\n\x1b path:")),))

    with pytest.raises(ConfigError) as caught:
        room_queries(settings)

    assert str(caught.value) == snapshot(
        "room[0].subscribe[1]: path: needs a value, e.g. path:drivers/net/ (at “path:”)"
    )


def test_several_bad_queries_are_told_at_once() -> None:
    settings = settings_with(
        rooms=(
            RoomSettings(room="#a:hs", subscribe=("bogus:1", "path:a")),
            RoomSettings(room="#b:hs", subscribe=("(",)),
        )
    )

    with pytest.raises(ConfigErrors) as caught:
        room_queries(settings)

    assert [error.key for error in caught.value.errors] == ["room[0].subscribe[0]", "room[1].subscribe[0]"]
