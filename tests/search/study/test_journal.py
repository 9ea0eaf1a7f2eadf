"""A journal is what was written to it, whatever is cut off or changed; one process alone writes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leanformer.errors import LeanformerError
from leanformer.search.study.journal import Event, Journal

EVENTS: list[Event] = [{"a": 1}, {"b": "ü\n"}, {"c": [1.5, None]}]


def written(path: Path, *events: Event) -> None:
    journal = Journal(path)
    for event in events:
        journal.add(event)
    journal.close()


def read(path: Path, said: list[str]) -> list[Event]:
    journal = Journal(path, said.append)
    journal.close()
    return journal.events


def test_events_are_there_after_a_restart_and_more_can_follow(tmp_path: Path):
    path, said = tmp_path / "new" / "journal.jsonl", list[str]()
    written(path, *EVENTS[:2])
    written(path, EVENTS[2])
    assert read(path, said) == EVENTS and said == []


def test_a_line_that_was_cut_off_is_left_out_and_done_again(tmp_path: Path):
    path, said = tmp_path / "journal.jsonl", list[str]()
    written(path, *EVENTS)
    path.write_bytes(path.read_bytes()[:-5])
    assert read(path, said) == EVENTS[:2] and len(said) == 1 and "cut off" in said[0]
    written(path, EVENTS[2])
    assert read(path, said) == EVENTS and len(said) == 1


@pytest.mark.parametrize("damage", ["changed", "removed", "no JSON", "no object"])
def test_everything_from_a_damaged_line_on_is_left_out_and_kept_aside(damage: str, tmp_path: Path):
    path, said = tmp_path / "journal.jsonl", list[str]()
    written(path, *EVENTS)
    lines = path.read_text(encoding="utf-8").splitlines()
    changed = {"changed": [lines[1].replace('"b"', '"x"')], "removed": [], "no JSON": ["{"], "no object": ["[1]"]}[
        damage
    ]
    damaged = "\n".join([lines[0], *changed, lines[2], ""])
    path.write_text(damaged, encoding="utf-8")
    assert read(path, said) == EVENTS[:1]
    assert len(said) == 1 and f"{path}, line 2: damaged" in said[0]
    assert (tmp_path / "journal-damaged.jsonl").read_text(encoding="utf-8") == damaged
    written(path, *EVENTS[1:])
    assert read(path, said) == EVENTS and len(said) == 1, "what is written after it is whole again"


def test_a_second_writer_is_refused(tmp_path: Path):
    pytest.importorskip("fcntl")
    first = Journal(tmp_path / "journal.jsonl")
    with pytest.raises(LeanformerError, match=r"another search is writing it\n  remedy: wait for its end"):
        Journal(tmp_path / "journal.jsonl")
    first.close()
    Journal(tmp_path / "journal.jsonl").close()


def test_lines_without_hashes_of_an_earlier_version_are_read_and_followed_by_some(tmp_path: Path):
    path, said = tmp_path / "journal.jsonl", list[str]()
    path.write_text(json.dumps(EVENTS[0]) + "\n", encoding="utf-8")
    written(path, EVENTS[1])
    assert read(path, said) == EVENTS[:2] and said == []
    path.write_text(path.read_text(encoding="utf-8") + json.dumps(EVENTS[2]) + "\n", encoding="utf-8")
    assert read(path, said) == EVENTS[:2], "after a line with a hash each has one"
