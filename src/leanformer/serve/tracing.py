"""OpenTelemetry spans for collecting traces: one per answered request, with a child span per stage.

Only the OpenTelemetry API is used here. Where spans are exported to is configured when starting the server, for
instance with `opentelemetry-instrument leanformer serve ...` and the OTEL_ environment variables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from leanformer.errors import MissingExtraError
from leanformer.serve.generation import Answered

_STAGES = ("tokenize", "queue", "infer")


def make_trace() -> Callable[[Mapping[str, str], int, Answered], None]:
    """A function that records an answered request: its headers (which may carry its parent), start in ns, answer.

    Raises `MissingExtraError` if OpenTelemetry is not installed.
    """
    try:
        from opentelemetry import propagate, trace
    except ImportError as error:
        raise MissingExtraError("tracing", "tracing") from error
    tracer = trace.get_tracer("leanformer")

    def record(headers: Mapping[str, str], start: int, answered: Answered) -> None:
        attributes = {
            "leanformer.model": answered.model.name,
            "leanformer.version": answered.model.version,
            "leanformer.texts": len(answered.answers),
            "leanformer.tokens": answered.tokens,
        }
        parent = propagate.extract(dict(headers))
        span = tracer.start_span(answered.model.route, parent, trace.SpanKind.SERVER, attributes, start_time=start)
        inside, now = trace.set_span_in_context(span), start
        for stage in _STAGES:
            part = tracer.start_span(stage, inside, start_time=now)
            now += int(answered.seconds[stage] * 1e9)
            part.end(now)
        span.end(start + int(answered.seconds["total"] * 1e9))

    return record
