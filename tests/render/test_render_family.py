"""The table of a family's members, and the line that says why one was picked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from leanformer.render.family import pick_lines
from leanformer.tune.pick import Bounds, TimedMember, choose
from tests.tune.test_family import MEMBER, written


def test_each_member_has_a_line_and_the_picked_one_is_marked(tmp_path: Path):
    large = replace(MEMBER, name="large", quality=0.9, drop=-0.5, layers=((4, 48), (3, 40)), predicted_ms=None)
    members = [TimedMember(MEMBER, 0.1, 9000.4), TimedMember(large, 0.25, 4000.0)]
    lines = pick_lines(written(tmp_path, MEMBER, large), choose(members, Bounds(latency_ms=0.2)))
    assert lines[0].split() == "member layers heads units dev lost MB ms predicted texts/s".split()
    assert lines[1].split() == ["*", "small", "2", "2", "16", "80.00", "+1.50", "0.0", "0.100", "0.110", "9,000"]
    assert lines[2].split() == ["large", "2", "3-4", "40-48", "90.00", "-0.50", "0.0", "0.250", "-", "4,000"]
    assert "accuracy of 40 texts" in lines[3]
    assert lines[4] == "small: the best on dev of those with at most 0.2 ms a text; 1 of 2 members keeps that"
