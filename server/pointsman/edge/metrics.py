"""Metrics in the text format of Prometheus: the only file that imports prometheus_client, once somebody wants them.

Must never decide what is measured, nor what a label may say: `core.metrics` does.

Source of the format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pointsman.core import metrics
from pointsman.core.errors import MissingExtra, StorageError
from pointsman.core.metrics import Gauges, Measured, Series

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Look = Callable[[], Gauges]
"""Is asked for the gauges whenever somebody reads."""


class Collected:
    """All series, in a registry of their own: nothing of the process or of Python stands among them."""

    def __init__(self, gauges: Look) -> None:
        """Raises MissingExtra. Importing takes a moment: make it in a thread."""
        try:
            import prometheus_client  # noqa: PLC0415 - an extra, and 30 ms
        except ImportError:
            text = "Metrics need the package prometheus-client, which is not installed."
            raise MissingExtra(
                text, "Install Pointsman with its extra `metrics`, then run `pointsman restart`."
            ) from None
        self._generate: Callable[..., bytes] = prometheus_client.generate_latest
        self._registry = prometheus_client.CollectorRegistry(auto_describe=False)
        made: dict[str, Callable[[Series], Any]] = {
            "counter": lambda each: prometheus_client.Counter(
                each.name, each.help, each.labels, registry=self._registry
            ),
            "gauge": lambda each: prometheus_client.Gauge(each.name, each.help, each.labels, registry=self._registry),
            "histogram": lambda each: prometheus_client.Histogram(
                each.name, each.help, each.labels, registry=self._registry, buckets=each.buckets
            ),
        }
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # as many series again
        self._series: dict[Series, Any] = {each: made[each.kind](each) for each in metrics.ALL}
        self._gauges, self._labels = gauges, metrics.Labels()

    def note(self, chat: Measured) -> None:
        """Counts one chat at its end."""
        who, series = self._labels.of(chat.provider, chat.model), self._series
        series[metrics.REQUESTS].labels(*who, chat.outcome).inc()
        series[metrics.DURATION].labels(*who).observe(chat.seconds)
        series[metrics.ATTEMPTS].labels(*who).inc(chat.attempts)
        if chat.first_token is not None:
            series[metrics.FIRST_TOKEN].labels(*who).observe(chat.first_token)
        for kind, count in chat.tokens.items():
            series[metrics.TOKENS].labels(*who, kind).inc(count)
        if chat.usd is None:
            series[metrics.UNPRICED].labels(*who).inc()
        else:
            series[metrics.COST].labels(*who).inc(max(chat.usd, 0.0))

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        for series, values in self._gauges().items():
            gauge = self._series[series]
            if series.labels:
                gauge.clear()
            for labels, value in values.items():
                (gauge.labels(*labels) if labels else gauge).set(value)
        return self._generate(self._registry)


def write(path: Path, text: bytes) -> None:
    """Replaces a file at once, so that nobody reads half of it; everybody may read it, as the collector must.

    Raises StorageError.
    """
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            with suppress(OSError):
                Path(temporary).unlink()
        reason = error.strerror or type(error).__name__
        told = f"The metrics can't be written to {path}: {reason}."
        raise StorageError(told, "Make its folder writable, or name another `textfile` in `[metrics]`.") from error
