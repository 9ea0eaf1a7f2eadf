"""Which names a server answers to, and which keys it takes, without a server; `test_security` asks a real one."""

from __future__ import annotations

import pytest

from leanformer.serve.http.access import Access
from leanformer.serve.http.refused import Refused
from leanformer.serve.settings import ServerSettings

KEY = "0123456789abcdef"


def test_on_loopback_only_its_names_are_known():
    access = Access(ServerSettings({}, hosts=("Mine.example",)))
    assert all(map(access.knows, (b"localhost", b"LOCALHOST:80", b"127.0.0.1:", b"[::1]:8080", b"mine.example")))
    assert not any(map(access.knows, (b"", b"evil.example", b"localhost.evil.example", b"127.0.0.1:80:80", b"::1")))
    assert Access(ServerSettings({}, host="0.0.0.0")).knows(b"evil.example")


def test_only_the_key_opens():
    access = Access(ServerSettings({}, key=KEY))
    assert access.allows(f"bearer  {KEY} ".encode())
    assert not any(map(access.allows, (b"", KEY.encode(), f"Basic {KEY}".encode(), f"Bearer {KEY}0".encode())))
    assert Access(ServerSettings({})).allows(b"")


def test_a_request_without_a_host_is_refused_on_loopback():
    with pytest.raises(Refused, match="loopback"):
        Access(ServerSettings({})).check({"type": "http", "headers": [], "path": "/predict", "method": "POST"})
