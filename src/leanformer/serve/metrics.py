"""Prometheus metrics at /metrics: latency by stage, tokens, queue, refusals, workers, models."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector

_SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_TOKENS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Observations:
    """Observed values with the same labels: their sum, and how many are in each bucket."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds, self.counts, self.sum = bounds, [0] * (len(bounds) + 1), 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Buckets(Collector):
    """A histogram for one thread. The library's own takes a lock, and six times as long, for every value."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str], bounds: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._told, self._bounds = (name, text, labels), bounds
        self._kept: dict[tuple[str, ...], Observations] = {}
        registry.register(self)

    def labels(self, *values: str) -> Observations:
        """The observations with these values of the labels."""
        return self._kept.setdefault(values, Observations(self._bounds))

    def collect(self) -> Iterable[HistogramMetricFamily]:
        name, text, labels = self._told
        family = HistogramMetricFamily(name, text, labels=labels)
        names = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        for values, kept in self._kept.items():
            family.add_metric(values, list(zip(names, accumulate(kept.counts), strict=True)), kept.sum)
        return [family]


class Metrics:
    """One server's metrics, in its own registry. Label values are names chosen by the operator, never by a client."""

    def __init__(self) -> None:
        # For a metric with labels the attribute is a cached function of the labels, because looking up labels is slow.
        self.registry = registry = CollectorRegistry()
        self.stage_seconds = cache(Buckets(
            "leanformer_stage_seconds", "Seconds that a request spent in a stage (tokenize, queue, infer, total).",
            ("model", "stage"), _SECONDS, registry,
        ).labels)  # fmt: skip
        self.requests = cache(
            Counter(
                "leanformer_requests", "Requests by route and status.", ("route", "status"), registry=registry
            ).labels
        )
        self.refused = cache(
            Counter("leanformer_refused", "Requests refused, by reason.", ("reason",), registry=registry).labels
        )
        self.texts = cache(Counter("leanformer_texts", "Texts answered.", ("model",), registry=registry).labels)
        self.tokens = cache(Counter("leanformer_tokens", "Tokens answered.", ("model",), registry=registry).labels)
        self.pack_tokens = cache(
            Buckets("leanformer_pack_tokens", "Tokens in a pack.", ("model",), _TOKENS, registry).labels
        )
        self.pack_seconds = cache(
            Buckets(
                "leanformer_pack_seconds", "Seconds that a worker took for a pack.", ("model",), _SECONDS, registry
            ).labels
        )
        self.queue_tokens = Gauge("leanformer_queue_tokens", "Tokens accepted and not answered.", registry=registry)
        self.queue_requests = Gauge(
            "leanformer_queue_requests", "Requests accepted and not answered.", registry=registry
        )
        self.model_queue = Gauge(
            "leanformer_model_queue_tokens", "Tokens accepted and not answered, by model.", ("model",),
            registry=registry,
        )  # fmt: skip
        self.queue_limit = Gauge(
            "leanformer_queue_limit_tokens", "Most tokens in the queue of a model.", registry=registry
        )
        self.workers = Gauge("leanformer_workers", "Workers that are alive.", registry=registry)
        self.restarts = Counter("leanformer_worker_restarts", "Workers replaced.", registry=registry)
        self.reloads = cache(
            Counter("leanformer_reloads", "Reloads, by outcome.", ("outcome",), registry=registry).labels
        )
        self.models = Gauge(
            "leanformer_model_info", "1 for each model and version served.", ("model", "version"), registry=registry
        )

    def render(self) -> bytes:
        return generate_latest(self.registry)
