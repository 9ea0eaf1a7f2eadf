"""Spans as a collector would get them. Needs the SDK of OpenTelemetry, which the package itself does not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from leanformer.errors import MissingExtraError
from leanformer.serve.generation import Answered
from leanformer.serve.model import open_model
from leanformer.serve.tracing import make_trace


def test_without_the_extra_it_is_said_which(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(MissingExtraError, match="tracing"):
        make_trace()


def test_a_request_is_a_span_with_its_stages(tiny_onnx_artifact: Path):
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    from opentelemetry import trace
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    model = open_model("tiny", 0, str(tiny_onnx_artifact))
    seconds = {"tokenize": 0.001, "queue": 0.002, "infer": 0.003, "total": 0.007}
    parent = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
    make_trace()(parent, 10**18, Answered([[], []], False, model, 9, seconds))
    *stages, whole = exporter.get_finished_spans()
    assert [(stage.name, (stage.end_time - stage.start_time) / 1e6) for stage in stages] == [
        ("tokenize", 1.0), ("queue", 2.0), ("infer", 3.0)
    ]  # fmt: skip
    assert (whole.end_time - whole.start_time) / 1e6 == 7.0
    assert whole.attributes["leanformer.tokens"] == 9
    assert f"{whole.context.trace_id:032x}" == "ab" * 16
    assert f"{whole.parent.span_id:016x}" == "cd" * 8
    assert {stage.parent.span_id for stage in stages} == {whole.context.span_id}
