"""The table of servers says what the result says."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.pages.served import served


def test_every_server_has_a_row(tmp_path: Path) -> None:
    assert "Not measured yet" in served(tmp_path)
    machine = {"cpu": "Some CPU", "threads": 2}
    ours, theirs = {"system": "leanformer, lean", "machine": machine}, {"system": "FastAPI", "section": "plain"}
    rows = [
        ours | {"section": "connections", "work": "texts, one by one", "connections": 64, "requests_per_second": 1},
        ours | {"section": "saturation", "work": "one text a request", "connections": 64, "requests_per_second": 1923.6,
                "share_of_bench": 0.5503, "front_cpu_ms": 0.1981},
        ours | {"section": "overhead", "work": "overhead", "connections": 1, "requests_per_second": 9,
                "overhead_p50_ms": 0.594},
        ours | {"section": "steady", "work": "open loop at 70 %", "connections": 0, "requests_per_second": 9,
                "p99_over_alone_p50": 28.64},
        theirs | {"work": "texts, one by one", "connections": 1, "requests_per_second": 3},
        theirs | {"work": "texts, one by one", "connections": 64, "requests_per_second": 403.2},
    ]  # fmt: skip
    (tmp_path / "serve.json").write_text(json.dumps(rows))
    page = served(tmp_path)
    assert "| leanformer, lean | 1,924 | 55 % | 0.20 | 0.59 | 29 |" in page
    assert "| FastAPI | 403 |  |  |  |  |" in page and "2 threads of Some CPU" in " ".join(page.split())
