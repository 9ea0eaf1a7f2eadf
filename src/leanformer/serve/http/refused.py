"""Responses other than 200: a status, a machine-readable kind, and a message for people."""

from __future__ import annotations

from collections.abc import Mapping

KINDS = {
    400: "malformed",
    401: "unauthorized",
    404: "not_found",
    405: "method",
    406: "not_acceptable",
    408: "slow",
    413: "too_large",
    415: "media_type",
    421: "host",
    422: "validation",
    429: "overloaded",
    499: "gone",
    500: "internal",
    503: "unavailable",
    504: "deadline",
}


class Refused(Exception):  # noqa: N818 - most are the client's doing, and none is a fault of the program
    """A request that is not answered as requested.

    Args:
        status: one of `KINDS`. 499 means that the client has disconnected; nobody reads that response.
        message: what was wrong, and the limit that was exceeded, if any. It must not repeat the request's text.
        headers: additional headers of the response.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})

    def to_json(self) -> dict[str, str]:
        return {"error": self.message, "error_type": KINDS[self.status]}
