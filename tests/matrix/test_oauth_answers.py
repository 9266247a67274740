"""What an authorization server's answers mean, and when to ask again."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import Permanent, Temporary
from bot.ids import DeviceId
from bot.matrix import oauth
from bot.matrix.access_tokens import early_seconds, seconds_left, tokens_of
from bot.matrix.device_grant import CodeUsed, Polling, device_grant
from bot.matrix.oauth import OAuthRefused, OAuthRequest, OAuthResponse, ServerMetadata, Tokens
from bot.matrix.oauth_tokens import SignIn

ISSUER = "https://account.example.org/"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
METADATA: dict[str, Any] = {
    "issuer": ISSUER,
    "token_endpoint": "https://account.example.org/oauth2/token",
    "revocation_endpoint": "https://account.example.org/oauth2/revoke",
    "registration_endpoint": "https://account.example.org/oauth2/registration",
    "device_authorization_endpoint": "https://account.example.org/oauth2/device",
    "account_management_uri": "https://account.example.org/account/",
    "grant_types_supported": ["authorization_code", "refresh_token", DEVICE_GRANT],
}
CODE: dict[str, Any] = {
    "device_code": "secret",
    "user_code": "ABC-DEF",
    "verification_uri": "https://account.example.org/link",
    "verification_uri_complete": "https://account.example.org/link?code=ABC-DEF",
    "expires_in": 1200,
    "interval": 5,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda some: st.lists(some) | st.dictionaries(st.text(), some),
)
REQUEST = oauth.refresh(oauth.server_metadata(METADATA, allow_http=False, is_unstable=False), "client", "mar_secret+/")


def parsed(**changes: object) -> ServerMetadata:
    return oauth.server_metadata({**METADATA, **changes}, allow_http=False, is_unstable=False)


def an_answer(content: object, status: int = 200, kind: str = "application/json") -> OAuthResponse:
    return OAuthResponse(status, kind, content if isinstance(content, bytes) else json.dumps(content).encode())


def a_sign_in(**changes: Any) -> SignIn:
    known: dict[str, Any] = {
        "device": DeviceId("DEVICE"),
        "number": 1,
        "issuer": ISSUER,
        "client": "client",
        "access": "a1",
        "refresh": "r1",
    }
    return SignIn(**{**known, **changes})


# Metadata


def test_the_scope_is_full_access_as_one_device() -> None:
    assert parsed().scope_of(DeviceId("D")) == "urn:matrix:client:api:* urn:matrix:client:device:D"


@pytest.mark.parametrize(
    ("scopes", "is_unstable", "start"),
    [
        (None, False, "urn:matrix:client:api:*"),
        (None, True, "urn:matrix:org.matrix.msc2967.client:api:*"),
        (["openid", "email"], False, "urn:matrix:client:api:*"),
        (["urn:matrix:org.matrix.msc2967.client:api:*"], False, "urn:matrix:org.matrix.msc2967.client:api:*"),
        (["urn:matrix:org.matrix.msc2967.client:api:*", "urn:matrix:client:api:*"], True, "urn:matrix:client:api:*"),
        ("urn:matrix:org.matrix.msc2967.client:api:*", False, "urn:matrix:client:api:*"),
    ],
)
def test_the_unstable_scope_is_for_servers_that_know_no_other(scopes: object, *, is_unstable: bool, start: str) -> None:
    answer = METADATA if scopes is None else {**METADATA, "scopes_supported": scopes}

    metadata = oauth.server_metadata(answer, allow_http=False, is_unstable=is_unstable)

    assert metadata.scope_of(DeviceId("D")).startswith(start)
    assert not metadata.scope_of(DeviceId("D"), other=True).startswith(start)


@pytest.mark.parametrize("key", [key for key in METADATA if key.endswith("_endpoint") or key == "issuer"])
@pytest.mark.parametrize(
    "url",
    [
        "http://account.example.org/x",
        "https://user@account.example.org/x",
        "https:///x",
        "ftp://account.example.org/x",
        "https://account.example.org/x#y",
        "https://account.example.org:0/x",
        "https://account.example.org:99999/x",
        "https://[::1",
        "https://account.example.org/x\u202e",
        "https://account.example.org/ x",
        "https://account.example.org/\x1b[2J",
        "javascript:alert(1)",
        "/x",
        "",
        "https://" + "x" * 3000 + ".example.org/",
        7,
        None,
    ],
)
def test_an_address_that_must_not_be_used_is_named(key: str, url: object) -> None:
    with pytest.raises(Permanent, match=key) as refused:
        parsed(**{key: url})

    assert str(refused.value).isprintable()


def test_http_is_for_loopback_or_where_it_is_allowed() -> None:
    local = parsed(token_endpoint="http://127.0.0.1:8080/token")  # noqa: S106  # an address
    anywhere = oauth.server_metadata(
        {**METADATA, "token_endpoint": "http://account.example.org/token"}, allow_http=True, is_unstable=False
    )

    assert (local.token_endpoint, anywhere.token_endpoint) == (
        "http://127.0.0.1:8080/token",
        "http://account.example.org/token",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"grant_types_supported": ["authorization_code", "refresh_token"]},
        {"grant_types_supported": None},
        {"grant_types_supported": DEVICE_GRANT},
    ],
)
def test_a_server_without_device_authorization_is_named_as_such(changes: dict[str, object]) -> None:
    with pytest.raises(Permanent, match="does not offer device authorization"):
        parsed(**changes)


def test_an_issuer_has_no_query() -> None:
    with pytest.raises(Permanent, match="issuer with a query"):
        parsed(issuer="https://account.example.org/?x=1")


@pytest.mark.parametrize("code", ["M_UNRECOGNIZED", "M_NOT_FOUND"])
def test_a_homeserver_says_itself_that_it_has_no_oauth(code: str) -> None:
    assert oauth.metadata_in(an_answer({"errcode": code, "error": "Unrecognized request"}, 404)) is None


@pytest.mark.parametrize(
    "response",
    [
        an_answer(b"<html>Not found</html>", 404, "text/html"),
        an_answer({"errcode": "M_UNRECOGNIZED"}, 404, "text/html"),
        an_answer({"errcode": "M_UNRECOGNIZED"}, 502),
        an_answer({"errcode": "M_LIMIT_EXCEEDED"}, 429),
        an_answer({}, 404),
        an_answer([], 200),
        an_answer(METADATA, 200, "text/html"),
    ],
)
def test_nothing_else_says_that_a_homeserver_has_no_oauth(response: OAuthResponse) -> None:
    with pytest.raises(Temporary):
        oauth.metadata_in(response)


# Answers


def test_a_refusal_is_the_servers_own_and_repeats_no_secret() -> None:
    echo = {"error": "invalid_grant", "error_description": "unknown: mar_secret+/ or mar_secret%2B%2F\x1b[31m"}

    with pytest.raises(OAuthRefused) as refused:
        oauth.judge(REQUEST, an_answer(echo, 400))

    assert refused.value.code == "invalid_grant"
    assert str(refused.value) == "invalid_grant: unknown: … or …[31m"


@pytest.mark.parametrize(
    "response",
    [
        an_answer({"error": "invalid_grant"}, 400, "text/html"),
        an_answer({"error": "invalid_grant"}, 400, "text/json"),
        an_answer({"error": "invalid_grant"}, 400, ""),
        an_answer(b"<html></html>", 400, "application/json"),
        an_answer({"error": "invalid_grant"}, 500),
        an_answer({"error": "invalid_grant"}, 429),
        an_answer({"error": "temporarily_unavailable"}, 400),
        an_answer({"error": ["invalid_grant"]}, 400),
        an_answer(["invalid_grant"], 400),
        an_answer({"error": "invalid_grant"}, 200, "text/html"),
        an_answer(b"<html></html>", 200, "text/html"),
        an_answer(b'{"access_token": "', 200),
        an_answer([], 200),
        an_answer({}, 302, "text/html"),
    ],
)
def test_what_is_no_answer_of_the_server_is_no_refusal(response: OAuthResponse) -> None:
    with pytest.raises(Temporary):
        oauth.judge(REQUEST, response)


def test_a_server_may_ask_for_patience() -> None:
    with pytest.raises(Temporary) as limited:
        oauth.judge(REQUEST, OAuthResponse(429, "application/json", b"{}", timedelta(seconds=30)))

    assert limited.value.retry_after == timedelta(seconds=30)


def test_a_revocation_needs_no_content() -> None:
    assert oauth.judge(REQUEST, OAuthResponse(200, "application/octet-stream", b"")) == {}


@given(st.binary() | JSON.map(lambda some: json.dumps(some).encode()), st.integers(100, 599), st.text(max_size=30))
def test_any_answer_is_content_or_a_known_error(body: bytes, status: int, kind: str) -> None:
    for typed in (kind, "application/json"):
        words = ""
        try:
            assert isinstance(oauth.judge(REQUEST, OAuthResponse(status, typed, body)), dict)
        except (OAuthRefused, Temporary) as error:
            words = str(error)
        assert words.isprintable()


@given(st.dictionaries(st.sampled_from([*METADATA, "scopes_supported"]), JSON))
def test_any_metadata_are_usable_or_refused(changes: dict[str, object]) -> None:
    words = ""
    try:
        metadata = parsed(**changes)
        assert metadata.token_endpoint.startswith("https://")
        assert metadata.revocation_endpoint.startswith("https://")
    except Permanent as error:
        words = str(error)
    assert words.isprintable()


@given(st.dictionaries(st.sampled_from(["access_token", "refresh_token", "token_type", "expires_in"]), JSON))
def test_any_tokens_can_be_sent_or_count_as_none(answer: dict[str, object]) -> None:
    try:
        tokens = oauth.tokens(answer)
    except Temporary:
        return
    assert tokens.access.isascii()
    assert tokens.access.isprintable()


@pytest.mark.parametrize(
    ("expires_in", "lifetime"),
    [(300, 300.0), ("300", 300.0), (299.5, 299.5), (None, None), (-1, None), (True, None), ([], None), (0, 1.0)],
)
def test_a_lifetime_is_a_number_or_unknown(expires_in: object, lifetime: float | None) -> None:
    answer = {"access_token": "a", "token_type": "bearer", "expires_in": expires_in}

    assert oauth.tokens(answer) == Tokens("a", None, lifetime)


def test_a_client_with_a_secret_is_not_wanted() -> None:
    with pytest.raises(Permanent, match="a client with a secret"):
        oauth.client_id({"client_id": "x", "token_endpoint_auth_method": "client_secret_basic"})


def test_secrets_are_in_no_description() -> None:
    tokens = Tokens("mat_secret", "mar_secret", 300.0)
    sign_in = a_sign_in(access="mat_secret", refresh="mar_secret", previous="mar_secret")
    request = OAuthRequest(ISSUER, b"token=mat_secret")
    response = an_answer({"access_token": "mat_secret"})
    grant = device_grant({**CODE, "device_code": "mat_secret"}, allow_http=False)

    assert "secret" not in repr((tokens, sign_in, request, response, grant, REQUEST))


# The code, and when to ask


def test_the_page_with_the_code_in_it_is_preferred() -> None:
    complete, other = device_grant(CODE, allow_http=False), {**CODE, "verification_uri_complete": "http://evil.org/"}

    assert (complete.page, complete.is_complete) == ("https://account.example.org/link?code=ABC-DEF", True)
    assert device_grant(other, allow_http=False).page == "https://account.example.org/link"


def test_a_page_that_must_not_be_opened_is_refused() -> None:
    with pytest.raises(Permanent, match="no https:// page"):
        device_grant({**CODE, "verification_uri": "http://x.org", "verification_uri_complete": None}, allow_http=False)


@given(st.dictionaries(st.sampled_from(list(CODE)), JSON))
def test_any_code_is_bounded_or_refused(changes: dict[str, object]) -> None:
    try:
        grant = device_grant({**CODE, **changes}, allow_http=False)
    except (Permanent, Temporary):
        return
    assert 1 <= grant.interval_seconds <= 300
    assert 1 <= grant.lifetime_seconds <= 3600
    assert f"{grant.page}{grant.user_code}".isprintable()


def test_slow_down_adds_five_seconds_for_good() -> None:
    polling = Polling(5.0).after(OAuthRefused("slow_down", "")).after(OAuthRefused("authorization_pending", ""))

    assert polling.wait_seconds == 10.0


def test_faults_of_the_network_make_the_requests_rarer() -> None:
    polling = Polling(5.0)
    waits = []
    for _ in range(6):
        polling = polling.after(Temporary("no answer"))
        waits.append(polling.wait_seconds)

    assert waits == [10.0, 20.0, 40.0, 60.0, 60.0, 60.0]


def test_a_wish_of_the_server_counts_once() -> None:
    polling = Polling(5.0).after(Temporary("HTTP 429", timedelta(minutes=2)))

    assert polling.wait_seconds == 120.0
    assert polling.after(OAuthRefused("authorization_pending", "")).wait_seconds == 10.0


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("access_denied", "denied in the browser"),
        ("expired_token", "the code has expired"),
        ("invalid_client", "refuses the sign-in"),
        ("unsupported_grant_type", "refuses the sign-in"),
    ],
)
def test_a_final_answer_ends_the_sign_in_with_a_reason(code: str, words: str) -> None:
    with pytest.raises(Permanent, match=words):
        Polling(5.0).after(OAuthRefused(code, ""))


def test_an_unknown_code_needs_another_one() -> None:
    with pytest.raises(CodeUsed):
        Polling(5.0).after(OAuthRefused("invalid_grant", ""))


@given(st.lists(st.sampled_from(["authorization_pending", "slow_down", "fault"]), max_size=100))
def test_the_interval_never_shrinks_and_stays_within_minutes(answers: list[str]) -> None:
    polling = Polling(5.0)
    for answer in answers:
        before = polling.interval_seconds
        polling = polling.after(Temporary("x") if answer == "fault" else OAuthRefused(answer, ""))
        assert before <= polling.interval_seconds <= 300


# Tokens over time


def test_the_refresh_token_that_was_used_is_kept_beside_its_successor() -> None:
    renewed = tokens_of(a_sign_in(), Tokens("a2", "r2", 300.0), "r1", now=1000.0)

    assert (renewed.access, renewed.refresh, renewed.previous, renewed.expires_at) == ("a2", "r2", "r1", 1300.0)


def test_a_refresh_token_that_is_not_replaced_goes_on() -> None:
    renewed = tokens_of(a_sign_in(previous="r0"), Tokens("a2", None, 300.0), "r1", now=1000.0)

    assert (renewed.refresh, renewed.previous) == ("r1", None)


@pytest.mark.parametrize(("now", "left"), [(1000.0, 300.0), (1200.0, 100.0), (1400.0, 0.0), (10.0, 300.0)])
def test_a_wrong_clock_makes_no_token_last_longer(now: float, left: float) -> None:
    sign_in = tokens_of(a_sign_in(), Tokens("a2", "r2", 300.0), "r1", now=1000.0)

    assert seconds_left(sign_in, now) == left


def test_a_token_without_a_lifetime_lasts() -> None:
    assert seconds_left(a_sign_in(), 1000.0) is None


@pytest.mark.parametrize(("lifetime", "early"), [(300.0, 60.0), (86_400.0, 600.0), (3.0, pytest.approx(0.6))])
def test_a_token_is_renewed_in_the_last_fifth_of_its_life(lifetime: float, early: float) -> None:
    assert early_seconds(a_sign_in(lifetime_seconds=lifetime)) == early
