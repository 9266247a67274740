from datetime import UTC, datetime

from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from bot.clock import VirtualClock
from bot.incidents import FORGET_AFTER, MAX_INCIDENTS, Incident, Incidents

START = datetime(2026, 11, 2, 8, tzinfo=UTC)


def test_an_incident_is_logged_once_and_counted_each_time() -> None:
    incidents, before = Incidents(VirtualClock(START)), _counted()

    with capture_logs() as logged:
        for _ in range(3):
            incidents.record("poll.submission_failed", "series 12 of ozlabs", ValueError("no such key"))

    assert [(line["event"], line["name"]) for line in logged] == [("poll.submission_failed", "series 12 of ozlabs")]
    assert [(each.count, each.reason) for each in incidents] == [(3, "ValueError: no such key")]
    assert _counted() == before + 3


def test_a_resolved_incident_is_listed_no_more_and_logged_again_when_it_returns() -> None:
    incidents = Incidents(VirtualClock(START))
    incidents.record("sync.room_skipped", "!a:hs", "too large")

    incidents.resolve("sync.room_skipped", "!a:hs")
    with capture_logs() as logged:
        after_it = list(incidents)
        incidents.record("sync.room_skipped", "!a:hs", "too large")

    assert after_it == []
    assert len(logged) == 1


def test_an_incident_that_did_not_happen_again_for_a_day_is_forgotten() -> None:
    clock = VirtualClock(START)
    incidents = Incidents(clock)
    incidents.record("sync.room_skipped", "!a:hs", "too large")

    clock.advance(FORGET_AFTER.total_seconds() + 1)

    assert list(incidents) == []


def test_a_flood_of_incidents_and_long_names_stay_within_bounds() -> None:
    incidents = Incidents(VirtualClock(START))

    for number in range(MAX_INCIDENTS + 50):
        incidents.record("sync.room_skipped", f"{number} " + "x" * 10_000, "y" * 10_000)

    kept = list(incidents)
    assert len(kept) == MAX_INCIDENTS
    assert kept[-1].name.startswith(f"{MAX_INCIDENTS + 49} ")
    assert max(_size(each) for each in kept) < 500


def _size(incident: Incident) -> int:
    return len(incident.kind + incident.name + incident.reason)


def _counted() -> float:
    return REGISTRY.get_sample_value("patchbot_incidents_total", {"kind": "poll.submission_failed"}) or 0.0
