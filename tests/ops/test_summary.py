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
            "Keeps its database in /srv/bot/patchbot.db, and its device and keys in /srv/bot.",
            "Polls ozlabs (https://patchwork.ozlabs.org) every 60 s for qemu-devel, qemu-ppc; posts a series that stays incomplete 30 minutes after its first mail.",  # noqa: E501  # as it is printed
            "Gives Patchwork servers @patchbot:example.org as the contact, in the User-Agent agent/1 (@ops:example.org).",  # noqa: E501  # as it is printed
            "Answers commands that begin with !pw.",
            "Accepts invitations from *:example.org.",
            "Admins: none.",
            "Serves its status on 127.0.0.1:9199: / for people, /livez, /readyz and /metrics for programs.",
            "Logs at level info and above, as lines of text.",
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
            "Keeps its database in postgresql://db:5432/bot, and its device and keys in /srv/bot.",
            "Stands by while another instance acts that uses the same database.",
            "Polls ozlabs (https://patchwork.ozlabs.org) every 60 s for qemu-devel, qemu-ppc; posts a series that stays incomplete at once.",  # noqa: E501  # as it is printed
            "Gives Patchwork servers @ops:example.org as the contact, in the User-Agent agent/1 (@ops:example.org).",
            "Connects through the proxy http://proxy:3128.",
            "Trusts the certificates in /etc/ssl/ours.pem instead of the system's.",
            "Tells #migration:example.org about: path:migration/",
            "Tells #migration:example.org about: prefix:RFC from:@redhat.com",
            "Joins !quiet:example.org; the settings have no subscription for it.",
            "Answers commands that begin with !pw.",
            "Accepts no invitations.",
            "Admins: @ops:example.org.",
            'Serves no status pages (web.listen is "").',
            "Logs at level info and above, as lines of text.",
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

    assert told(settings.model_copy(update={"patchwork": (server,)}))[2:6] == snapshot(
        [
            "Polls kernel.org (https://patchwork.kernel.org) every 60 s for netdevbpf; posts a series that stays incomplete 30 minutes after its first mail.",  # noqa: E501  # as it is printed
            "Checks of kernel.org like sashiko*, ai-* are in the lane AI.",
            "States of kernel.org that are waiting: needs-work.",
            "States of kernel.org that are closed: rfc, deferred.",
        ]
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
