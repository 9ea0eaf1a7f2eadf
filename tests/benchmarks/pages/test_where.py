"""What a table says of the machines that its figures are from."""

from __future__ import annotations

from benchmarks.pages.where import on_each

NEW, OLD = {"threads": 2, "cpu": "New"}, {"threads": 2, "cpu": "Old"}


def test_one_machine_is_said_once():
    assert on_each({"a": NEW, "b": NEW}) == "2 threads of New"


def test_other_machines_are_said_with_what_was_measured_there():
    machines = {"a": OLD, "b": NEW, "c": NEW, "d": OLD, "e": NEW, "f": {"threads": 1, "cpu": "New"}}
    assert on_each(machines) == "2 threads of New (a and d: 2 threads of Old; f: 1 thread of New)"
