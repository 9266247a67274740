"""Defines the metrics, whose meaning is in their help texts, as shown in /metrics and docs/metrics.md.

Values are in base units; labels come from small closed sets or from the configuration.
"""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

REQUEST_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0)  # a request times out after 30 s
LATENCY_BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)

BUILD: Final = Gauge("patchbot_build_info", "Always 1; the version of the program is its label.", ["version"])
READY: Final = Gauge("patchbot_ready", "Whether nothing keeps the bot from its work, as /readyz says: 1 or 0.")
STANDBY: Final = Gauge(
    "patchbot_standby", "Whether this instance stands by for another one, which acts: 1 or 0. Only PostgreSQL has 1."
)
STANDBYS: Final = Gauge(
    "patchbot_standby_instances", "How many other instances stand by; only the one that acts knows, others say 0."
)
PATCHWORK_REQUESTS: Final = Counter(
    "patchbot_patchwork_requests",
    "Requests to a Patchwork server, by what was asked for (events, series, patches, mbox, comments, checks, projects, "
    "covers, other) and by the status of the answer; none where none came.",
    ["server", "endpoint", "code"],
)
PATCHWORK_SECONDS: Final = Histogram(
    "patchbot_patchwork_request_duration_seconds",
    "How long a request to a Patchwork server took, from its sending to the last byte of the answer.",
    ["server", "endpoint"],
    buckets=REQUEST_BUCKETS,
)
POLLS: Final = Counter(
    "patchbot_polls", "Polls of a Patchwork server, by how they ended: ok, failed.", ["server", "result"]
)
LAST_POLL: Final = Gauge(
    "patchbot_poll_last_success_timestamp_seconds", "When a Patchwork server was last polled well.", ["server"]
)
LAG: Final = Gauge(
    "patchbot_poll_lag_seconds",
    "How far the bot is behind a Patchwork server: how long ago it knew all that the server had to tell. It grows "
    "while polls fail, and while there is more to read than one poll reads.",
    ["server"],
)
EVENTS: Final = Counter(
    "patchbot_events",
    "Events that a Patchwork server told for the first time, by category; those that the bot does not know are other.",
    ["server", "category"],
)
CARDS: Final = Counter("patchbot_series_matched", "Series that a room asked for, counted a room each.", ["server"])
CHANGES: Final = Counter(
    "patchbot_changes",
    "Changes of series and patches that were known, by what of them changed: state, check, comment and so on.",
    ["server", "kind"],
)
FLOODS: Final = Counter(
    "patchbot_breaker_trips", "Floods: how often so much came for a room at once that a list took the place of cards."
)
SENDS: Final = Counter(
    "patchbot_notifications",
    "Attempts to send a notice, by its kind and by what came of them: sent, retry, suspended, dead.",
    ["kind", "result"],
)
LATENCY: Final = Histogram(
    "patchbot_delivery_latency_seconds",
    "How long it took from the writing of a notice until the homeserver had it, by the kind of the notice.",
    ["kind"],
    buckets=LATENCY_BUCKETS,
)
NOTICES: Final = Gauge(
    "patchbot_outbox_pending", "Notices that are not sent yet: waiting, suspended (the room refuses), dead.", ["state"]
)
OLDEST: Final = Gauge("patchbot_outbox_oldest_age_seconds", "How long the oldest waiting notice has been waiting.")
MATRIX_REQUESTS: Final = Counter(
    "patchbot_matrix_requests",
    "Requests to the homeserver, by what was asked for (account, directory, join, keys, leave, login, messages, send, "
    "sendToDevice, state, sync, upload, other) and by the status of the answer; none where none came.",
    ["endpoint", "code"],
)
LIMITED: Final = Counter(
    "patchbot_matrix_ratelimited_seconds", "For how long the homeserver asked the bot to send nothing, in all."
)
LAST_SYNC: Final = Gauge(
    "patchbot_sync_last_success_timestamp_seconds", "When the homeserver last told what happened in the rooms."
)
COMMANDS: Final = Counter(
    "patchbot_commands",
    "Commands, by verb and by how that went: ok, mistake, timeout, fault; limited where there were too many to answer; "
    "deferred where the database failed.",
    ["verb", "result"],
)
SUBSCRIPTIONS: Final = Gauge(
    "patchbot_subscriptions",
    "Subscriptions, by whose they are: a room's or a person's, made in chat, or the settings' (file).",
    ["scope"],
)
LISTENING: Final = Gauge(
    "patchbot_subscriptions_listening", "Subscriptions that patches are held against: all but the muted ones."
)
SCANNED: Final = Gauge(
    "patchbot_subscriptions_scanned", "Those of them that cannot be looked up, so that each patch is tried on them."
)
LOOP_FAILURES: Final = Counter(
    "patchbot_loop_failures",
    "Faults of the program that ended one of its loops or scheduled jobs, which then began anew.",
    ["loop"],
)
INCIDENTS: Final = Counter(
    "patchbot_incidents",
    "Things that could not be handled and were left out or put off (a series, an event, a room, a device), by the name "
    "of the log event.",
    ["kind"],
)


def forget_work() -> None:
    """Forget what the gauges say of the work of this instance, which another one does from now on."""
    for gauge in (LAG, LAST_POLL, NOTICES):
        gauge.clear()
    for gauge in (OLDEST, LAST_SYNC, STANDBYS):
        gauge.set(0)
