"""What a request costs the server, and servers beside it: a table of docs/how-to/serve.md, put there by readme.py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.pages.cell_tables import paragraph
from benchmarks.pages.markdown import table
from benchmarks.pages.where import on
from leanformer.strict_json import read_json

HEAD = ("server", "requests/s", "of bench", "front, ms of CPU", "added, ms (p50)", "p99 at 70 %, times p50 alone")


def served(results: Path) -> str:
    """A row for each server; a sentence where nothing has been measured."""
    path = results / "serve.json"
    rows = read_json(path) if path.is_file() else []
    systems = list(dict.fromkeys(row["system"] for row in rows if _is_loaded(row)))
    if not systems:
        return "Not measured yet: `python -m benchmarks.serve.run`."
    about = (
        "One text a request, SST-2's test texts, load from another process over loopback on the same cores: requests a "
        "second at 64 connections; their share of what `leanformer bench` scores with the same threads in turn; CPU "
        "time of the front for each; what one connection waits beyond inference alone; and, at 70 % of the capacity, "
        f"the 99th percentile over the median of a text alone ({on(rows[0]['machine'])}, "
        "`python -m benchmarks.serve.run`). FastAPI runs the teacher, MiniLM, too: its rows are to be compared with "
        "those of MiniLM."
    )
    return f"{paragraph(about)}\n\n{table(HEAD, [_line(system, rows) for system in systems])}"


def _is_loaded(row: dict[str, Any]) -> bool:
    """Whether it tells of 64 connections: ours with its share of `bench`, others as they were measured."""
    return bool(
        row["connections"] == 64
        and (row["work"] == "one text a request" or (row["section"] == "plain" and row["work"] == "texts, one by one"))
    )


def _line(system: str, rows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    ours = [row for row in rows if row["system"] == system]
    loaded = next(row for row in ours if _is_loaded(row))
    added = next((row["overhead_p50_ms"] for row in ours if "overhead_p50_ms" in row), None)
    steady = next((row["p99_over_alone_p50"] for row in ours if "p99_over_alone_p50" in row), None)
    share = loaded.get("share_of_bench")
    return (
        system, f"{loaded['requests_per_second']:,.0f}", "" if share is None else f"{100 * share:.0f} %",
        f"{loaded['front_cpu_ms']:.2f}" if "front_cpu_ms" in loaded else "",
        "" if added is None else f"{added:.2f}", "" if steady is None else f"{steady:.0f}",
    )  # fmt: skip
