"""Who may ask: requests for this server's names only and, if the server has a key, those that carry it."""

from __future__ import annotations

import hmac
import re

from starlette.types import Scope

from leanformer.serve.http.refused import Refused
from leanformer.serve.settings import LOOPBACK_NAMES, ServerSettings

# Health checks carry no key, and the pages contain nothing that is not in the source of this package.
OPEN_ROUTES = ("/", "/docs", "/openapi.json", "/health", "/ready")
# In a request's scope: the request target of its first line, as received.
TARGET = "leanformer.target"
_PORT = re.compile(r":\d*$")


class Access:
    """The checks that every request passes before it is looked at."""

    def __init__(self, settings: ServerSettings) -> None:
        self._key = None if settings.key is None else settings.key.encode()
        self._hosts = {*LOOPBACK_NAMES, *(host.lower() for host in settings.hosts)} if settings.loopback else None

    def check(self, scope: Scope) -> None:
        """Raise `Refused` for a request that is for another server, or lacks a required key."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        target = scope.get(TARGET, b"/")
        # Two servers that read such a request might each see a different host.
        if len(hosts) > 1:
            raise Refused(400, "the request has more than one Host header", {"connection": "close"})
        if scope["path"].startswith("//"):
            raise Refused(400, "the request's path begins with two slashes", {"connection": "close"})
        if not target.startswith((b"/", b"*")):
            # An absolute address, as sent to proxies (RFC 9112, 3.2.2): its host takes precedence.
            hosts.append(_host_of(target))
        if not all(map(self.knows, hosts or [b""])):
            raise Refused(421, "this server answers to the names of the loopback address; see --allow-host")
        if self._key is None or (scope["path"] in OPEN_ROUTES and scope["method"] in ("GET", "HEAD", "OPTIONS")):
            return
        if not self.allows(dict(scope["headers"]).get(b"authorization", b"")):
            raise Refused(401, "a valid key is needed: Authorization: Bearer KEY", {"www-authenticate": "Bearer"})

    def knows(self, host: bytes) -> bool:
        """Whether the value of a Host header names this server."""
        if self._hosts is None:
            return True
        name = host.decode("latin-1").lower()
        return (name.rpartition(":")[0] if _PORT.search(name) else name) in self._hosts

    def allows(self, authorization: bytes) -> bool:
        """Whether the value of an Authorization header has the key, or none is needed."""
        if self._key is None:
            return True
        scheme, _, key = authorization.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(key.strip(), self._key)


def _host_of(target: bytes) -> bytes:
    """The host, with its port if there is one, of an address like http://host:80/path. Raises `Refused` (400)."""
    scheme, _, rest = target.partition(b"://")
    host = re.split(rb"[/?#]", rest, maxsplit=1)[0]
    if scheme.lower() not in (b"http", b"https") or not host or b"@" in host:
        raise Refused(400, "the request's first line names no address of this server", {"connection": "close"})
    return host
