"""Histograms as Prometheus reads them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from leanformer.serve.metrics import Buckets, Metrics


def test_buckets_are_cumulative_and_include_their_bound():
    buckets = Buckets("seconds", "Some seconds.", ("model",), (0.1, 1.0), CollectorRegistry())
    for value in (0.1, 0.2, 1.0, 7.0):
        buckets.labels("a").observe(value)
    [family] = buckets.collect()
    told = {sample.labels.get("le", sample.name): sample.value for sample in family.samples}
    assert told == {"0.1": 1, "1.0": 3, "+Inf": 4, "seconds_count": 4, "seconds_sum": 8.3}


def test_what_is_rendered_can_be_parsed():
    metrics = Metrics()
    metrics.stage_seconds("a", "infer").observe(0.3)
    metrics.requests("/predict", "200").inc()
    families = {family.name: family for family in text_string_to_metric_families(metrics.render().decode())}
    assert families["leanformer_stage_seconds"].type == "histogram"
    assert families["leanformer_requests"].samples[0].value == 1
