"""The page on all metrics, written from the metric objects: `make reference`."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import Counter, Histogram
from prometheus_client.metrics import MetricWrapperBase

from bot import metrics

_HEAD = """\
# Metrics

This page is written by `make reference` from `bot/metrics.py`.

The bot serves its numbers at `/metrics` on the address of `[web] listen`, in the text format of Prometheus. Seconds and
UTC times are base units; every label has few values: words that stand here, or names from the configuration.
`deploy/alerts.yml` has rules that watch them, `deploy/dashboard.json` a dashboard for Grafana. Beside these there are
the `process_` and `python_` metrics of the Prometheus client, such as `process_resident_memory_bytes`.

| metric | type | labels | what it says |
|---|---|---|---|"""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric, as it is named in a query; of a histogram the name without _bucket, _sum and _count."""

    name: str
    kind: str
    labels: tuple[str, ...]
    text: str

    @property
    def samples(self) -> tuple[str, ...]:
        """The names that its samples have."""
        if self.kind == "histogram":
            return tuple(f"{self.name}{end}" for end in ("_bucket", "_sum", "_count"))
        return (self.name,)


def all_metrics() -> list[Metric]:
    """Every metric of the bot, in the order of `bot/metrics.py`."""
    objects = [value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase)]
    return [_metric(each) for each in objects]


def page() -> str:
    """The page, in Markdown."""
    return "\n".join([_HEAD, *_rows(), ""])


def _rows() -> Iterator[str]:
    for metric in all_metrics():
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        yield f"| `{metric.name}` | {metric.kind} | {labels} | {metric.text} |"


def _metric(each: MetricWrapperBase) -> Metric:
    (family,) = each.describe()
    name = f"{family.name}_total" if isinstance(each, Counter) else family.name
    labels = ("le", *each._labelnames) if isinstance(each, Histogram) else each._labelnames  # noqa: SLF001  # it tells them nowhere else
    return Metric(name, family.type, tuple(labels), family.documentation)


if __name__ == "__main__":
    sys.stdout.write(page())
