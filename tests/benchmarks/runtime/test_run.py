"""The contest of runtimes keeps each work as soon as it is measured."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.runtime.rows import AS_THEY_COME, SINGLE, SORTED
from benchmarks.runtime.run import Stored


def row(work: str, ratio: float) -> dict[str, Any]:
    return {"work": work, "ours_name": "leanformer int8, native", "peer_name": "a peer", "ratio": ratio}


def test_a_work_is_in_the_files_before_the_next_one_begins(tmp_path: Path):
    output = tmp_path / "runtime.json"
    output.write_text(json.dumps([row(SINGLE, 2.0), row(SORTED, 3.0)]))
    (tmp_path / "runtime_details.json").write_text(json.dumps({"ways": [{"work": SINGLE}, {"work": SORTED}]}))
    side: Any = SimpleNamespace(threads=1, left_out={}, ways=[])
    arguments = argparse.Namespace(output=output, encoder=Path("other"), long_texts=1, rounds=1)
    stored = Stored(arguments, side, {"texts": 9})
    for work, ratio in ((AS_THEY_COME, 4.0), (SORTED, 5.0)):
        side.ways.append({"work": work, "way": "new"})
        stored.add(work, [row(work, ratio)])
        told = {entry["work"]: entry["ratio"] for entry in json.loads(output.read_text())}
        assert told[work] == ratio and told[SINGLE] == 2.0
    details = json.loads((tmp_path / "runtime_details.json").read_text())
    assert details["works"] == [AS_THEY_COME, SORTED] and details["texts"] == 9
    assert details["ways"] == [{"work": SINGLE}, *side.ways]
