"""atlas.yaml is read into techniques and rows with states."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.atlas.entries import STATES, problems, read_atlas, states

ATLAS = read_atlas()


def test_states_are_counted_from_the_entries(tmp_path: Path):
    found = states(ATLAS, tmp_path)
    assert set(found.values()) <= set(STATES) and len(found) == 163
    row = ATLAS.rows[0]
    assert row.by and row.results and found[1] == "works and measured"
    assert states(replace(ATLAS, rows=(replace(row, lacks="a figure"),)), tmp_path)[1] == "works in part"
    assert (
        states(replace(ATLAS, rows=(replace(row, by=(), reason="needs silicon"),)), tmp_path)[1]
        == "absent with a reason"
    )


def test_contradictions_are_found():
    longformer = next(technique for technique in ATLAS.techniques if technique.kind == "longformer")
    both = replace(longformer, missing="not written", rows=(999,))
    gone = replace(longformer, code="leanformer.models.attention.magic:magic")
    found = problems(replace(ATLAS, techniques=(both, gone), rows=()))
    assert found == [
        "Longformer has either code or what is missing",
        "Longformer names a bench or a row that there is not",
        "Longformer names a bench or a row that there is not",
        "Longformer: no leanformer.models.attention.magic:magic",
    ]


def test_a_field_that_there_is_not_is_refused(tmp_path: Path):
    path = tmp_path / "atlas.yaml"
    path.write_text("benches: {}\ntechniques: []\nrows: [{row: 1, name: a, paper: b, state: works}]\n")
    with pytest.raises(TypeError, match="state"):
        read_atlas(path)
