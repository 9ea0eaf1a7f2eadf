"""Loaded by Schemathesis: bodies of lines are sent as they are drawn."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(context: schemathesis.SerializationContext, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """A header that the description does not have is no violation of it: HTTP lets anybody add some."""
    return not any(name.lower().startswith("x-schemathesis-unknown") for name in case.headers or ())
