"""The log, and what becomes of it if nobody reads it."""

from __future__ import annotations

import json
import os

from leanformer.serve.logs import Log


def test_a_reader_that_stalls_loses_lines_and_holds_nothing_up():
    reader, writer = os.pipe()
    with open(reader, "rb", buffering=0) as read, open(writer, "w") as stream:
        log = Log(stream)
        log("long", text="x" * 10_000)
        for number in range(2000):
            log("event", number=number, text="x" * 100)
        taken = read.read(1 << 20)
        log("end")
        lines = (taken + read.read(1 << 20)).decode().splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["event"] for event in (events[0], events[-1])] == ["long", "end"]
    assert [event["number"] for event in events[1:-1]] == list(range(len(events) - 2))
    assert 100 < len(events) < 2000


def test_a_line_that_was_cut_off_does_not_spoil_the_next():
    reader, writer = os.pipe()
    with open(reader, "rb", buffering=0) as read, open(writer, "w") as stream:
        log = Log(stream)
        log("long", text="x" * (1 << 20))
        read.read(1 << 20)
        log("end")
        assert json.loads(read.read(1 << 20).decode().splitlines()[-1])["event"] == "end"
