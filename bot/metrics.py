"""The metric objects; what each means stands in its help, as /metrics shows it.

Units are base units, labels come from small closed sets or from the configuration.
"""

from typing import Final

from prometheus_client import Counter, Gauge

BUILD: Final = Gauge("patchbot_build_info", "Always 1; the version of the program is its label.", ["version"])
READY: Final = Gauge("patchbot_ready", "Whether nothing keeps the bot from its work, as /readyz says: 1 or 0.")
POLLS: Final = Counter(
    "patchbot_polls", "Polls of a Patchwork server, by how they ended: ok, failed.", ["server", "result"]
)
LAST_POLL: Final = Gauge(
    "patchbot_poll_last_success_timestamp_seconds", "When a Patchwork server was last polled well.", ["server"]
)
CARDS: Final = Counter("patchbot_series_matched", "Series that a room asked for, counted a room each.", ["server"])
CHANGES: Final = Counter(
    "patchbot_changes",
    "Changes of series and patches that were known, by what of them changed: state, check, comment and so on.",
    ["server", "kind"],
)
SENDS: Final = Counter(
    "patchbot_notifications",
    "Attempts to send a notice, by its kind and by what came of them: sent, retry, suspended, dead.",
    ["kind", "result"],
)
NOTICES: Final = Gauge(
    "patchbot_outbox_pending", "Notices that are not sent yet: waiting, suspended (the room refuses), dead.", ["state"]
)
OLDEST: Final = Gauge("patchbot_outbox_oldest_age_seconds", "How long the oldest waiting notice has been waiting.")
LAST_SYNC: Final = Gauge(
    "patchbot_sync_last_success_timestamp_seconds", "When the homeserver last told what happened in the rooms."
)
MATRIX_REQUESTS: Final = Counter(
    "patchbot_matrix_requests",
    "Requests to the homeserver, by the status of the answer; none where none came.",
    ["code"],
)
COMMANDS: Final = Counter(
    "patchbot_commands",
    "Commands, by verb and by how that went: ok, mistake, timeout, fault; limited where there were too many to answer.",
    ["verb", "result"],
)
SUBSCRIPTIONS: Final = Gauge("patchbot_subscriptions", "Subscriptions that patches are held against.")
SCANNED: Final = Gauge(
    "patchbot_subscriptions_scanned", "Those of them that cannot be looked up, so that each patch is tried on them."
)
LOOP_FAILURES: Final = Counter(
    "patchbot_loop_failures", "Faults of the program that ended one of its loops, which then began anew.", ["loop"]
)
