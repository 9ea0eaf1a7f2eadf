"""What was put to the test and is no speed, in sentences for docs/figures.md; readme.py puts them there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from textwrap import fill
from typing import Any


def reliability(results: Path) -> str:
    """What was put to the test and is no speed: one line for each file that is there."""
    lines = []
    for program, sentence in _SENTENCES.items():
        path = results / f"{Path(program).name}.json"
        if path.is_file():
            text = sentence(json.loads(path.read_text(encoding="utf-8")))
            lines.append(fill(f"- {text} (`benchmarks/{program}.py`).", 120, subsequent_indent="  "))
    path = results / "serve.json"
    rows = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    lines += [fill(f"- {_served(row)} (`benchmarks/serve/run.py`).", 120, subsequent_indent="  ") for row in rows
              if "holds" in row]  # fmt: skip
    return "\n".join(lines)


def _served(row: dict[str, Any]) -> str:
    statuses = ", ".join(f"{count:,} with {status}" for status, count in row["statuses"].items() if status != "0")
    silent = row["statuses"].get("0", 0)
    growth = (
        f"; memory changed by {100 * row['memory_growth']:+.1f} % in the second half" if "200" in row["work"] else ""
    )
    broken = [name.replace("_", " ") for name, held in row["holds"].items() if not held]
    work = row["work"].replace("open loop at ", "")
    return (
        f"The server ({row['system']}), {row['seconds']:.0f} seconds of requests that are due whatever it does (of "
        f"its capacity: {work}): {row['sent']:,} sent, {statuses}, {silent:,} without an answer; p99 of the accepted "
        f"{row['p99_ms']:,.0f} ms from when they were due{growth}{'; NOT HELD: ' * bool(broken)}{', '.join(broken)}"
    )


def _killed(result: dict[str, Any]) -> str:
    of = {job: sum(kill["job"] == job for kill in result["kills"]) for job in ("train", "compress")}
    outcome = "every artifact had" if result["all_equal"] else "NOT every artifact had"
    return (
        f"`train` killed at {of['train']} random moments and `compress` at {of['compress']}, and started again, in "
        f"{len(result['runs'])} runs on {result['texts']} texts: {outcome} the hash of an undisturbed run"
    )


def _memory(result: dict[str, Any]) -> str:
    return (
        f"`predict` over {result['texts']:,} texts: {result['bytes_at_start'] / 1e6:.1f} MB resident after a tenth of "
        f"them, {result['bytes_at_end'] / 1e6:.1f} MB at the end"
    )


def _batch_invariance(result: dict[str, Any]) -> str:
    ran = [row for row in result["rows"] if "ways" in row]
    loose = [row for row in ran if row["precision"] == "int8 dynamic" and row["engine"] != "native"]
    ours = [row for row in ran if row not in loose]
    bits = min(row["fewest_bit_equal"] for row in ours if row["engine"] == "native")
    return (
        f"{result['texts']:,} texts alone, in packs, in other packs and padded, by {len(ours)} pairs of precision and "
        f"engine: {sum(row['within'] for row in ours)} stay within their bound (1e-5 in fp32, 0.02 in int8, no clear "
        f"label changed); by our own engine {'all' if bits == 1 else f'{100 * bits:.2f} %'} of the texts have the same "
        f"bits; scales per tensor {'DO NOT fail' if any(row['within'] for row in loose) else 'fail'}, as they should"
    )


def _other_cpu(result: dict[str, Any]) -> str:
    rows = [row for row in result["rows"] if row["guarded"] and "within" in row]
    native = [row["largest"] for row in rows if row["engine"] == "native"]
    loose = [row["largest"] for row in result["rows"] if not row["guarded"] and "within" in row]
    unguarded = f"; without our settings for other engines they stray by up to {max(loose):.2f}" if loose else ""
    return (
        f"{result['texts']} texts on an emulated {result['emulated']}, which has no AVX-512: "
        f"{sum(row['within'] for row in rows)} of {len(rows)} pairs of precision and engine within the same bounds of "
        f"the answers here, our own engine's by {max(native, default=0):.0e} at most{unguarded}"
    )


_SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "resilience/killed": _killed,
    "runtime/memory": _memory,
    "runtime/batch_invariance": _batch_invariance,
    "runtime/other_cpu": _other_cpu,
}
