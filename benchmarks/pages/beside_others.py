"""Our runtime beside others, as tables for README.md and docs/figures.md; readme.py puts them there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.runtime.interleaved import quartiles
from benchmarks.runtime.rows import QUALITY, TUNED, Row, beside, table, ways_table

CHOSEN = (
    "Each peer runs in the fastest of the ways that its guide names (sessions, streams, threads, batches; chosen on "
    "training texts, as our engine is)."
)
KINDS_TOLD = {
    "fp32": "fp32", "int16": "16 bits", "int8_signed": "8 bits with the sign step", "int8": "8 bits without it",
    "fp32_512": "fp32 in 512 bits", "vnni": "8-bit dot products", "vnni_512": "8-bit dot products in 512 bits",
}  # fmt: skip
FRESH = "Before each turn, our word cache forgets all words and reads training texts."


def _read(results: Path) -> tuple[list[Row], dict[str, Any]]:
    return tuple(
        json.loads((results / f"{name}.json").read_text(encoding="utf-8")) for name in ("runtime", "runtime_details")
    )  # type: ignore[return-value]


def runtime(results: Path) -> str:
    """Every peer at every kind of work."""
    if not (results / "runtime.json").is_file():
        return "The runtime beside others has not been measured yet: `python -m benchmarks.runtime.run`."
    rows, details = _read(results)
    machine, ways = details["machine"], details.get("ways", [])
    return "\n".join(
        [
            "The teacher in int8, in our runtime and as others run it (`python -m benchmarks.runtime.run` says what",
            f"each row is): texts per second on {machine['threads']} threads ({machine['cpu']}), tokenizer included,",
            f"in turn, medians of {details['rounds']} rounds. The ratio is given with the quartiles of its rounds.",
            *_how(rows),
            "",
            *table(rows, machine["threads"]),
            "",
            *(["The ways of each peer, timed on training texts:", "", *ways_table(ways), ""] if ways else []),
            "![Texts per second of each way to run the same model](../benchmarks/results/runtime.svg)",
        ]
    )


def peaks(results: Path) -> str:
    """What a core multiplies at best, by kind of instruction."""
    found = json.loads((results / "peaks.json").read_text(encoding="utf-8"))
    machine, rates = found["machine"], found["products_per_second"]
    return "\n".join(
        [
            f"Thousand million products a second ({machine['cpu']}, {', '.join(machine['instruction_sets'])};",
            "`python -m benchmarks.runtime.peaks`):",
            "",
            f"| | one core | {machine['threads']} cores at once |",
            "|---|---|---|",
            *(
                f"| {KINDS_TOLD[kind]} | {rate / 1e9:.0f} | {found['of_all_cores'][kind] / 1e9:.0f} |"
                for kind, rate in rates.items()
            ),
        ]
    )


def _how(rows: list[Row]) -> list[str]:
    """What holds for rows that were measured since each peer has a choice of ways, and caches forget."""
    chosen = any(row.get("peer_way") for row in rows)
    warm = [
        f"{row['work']} {row['ours_warm']:,.0f}/s"
        for row in {row["work"]: row for row in rows if row["ours_name"] == TUNED and "ours_warm" in row}.values()
        if not row.get("peer_ours")
    ]
    return [
        *([CHOSEN] if chosen else []),
        *([f"{FRESH} With the words of the timed texts in it: {', '.join(warm)}."] if warm else []),
    ]


def compared(results: Path) -> str:
    """One line for each kind of work: the strongest peer."""
    rows, details = _read(results)
    machine = details["machine"]
    ours = [row for row in rows if row["ours_name"] == TUNED and not row.get("peer_ours") and row["work"] != QUALITY]
    lines = []
    for work in dict.fromkeys(row["work"] for row in ours):
        best = min((row for row in ours if row["work"] == work), key=lambda row: row["ratio"])
        low, high = quartiles([a / b for a, b in zip(best["ours_rounds"], best["peer_rounds"], strict=True)])
        lines.append(
            f"| {work} | {best['ours']:,.0f}/s | {beside(best)} | {best['peer']:,.0f}/s | {best['ratio']:.2f} "
            f"({low:.2f} to {high:.2f}) |"
        )
    return "\n".join(
        [
            f"The same MiniLM-L6 in int8, texts per second on {machine['threads']} threads ({machine['cpu']}),",
            "tokenizer included, interleaved, medians; the fastest peer of each kind of work",
            "([all of them](docs/figures.md#the-runtime-beside-others)).",
            *([CHOSEN] if any(row.get("peer_way") for row in ours) else []),
            *([FRESH] if any("ours_warm" in row for row in ours) else []),
            "",
            "| work | ours | the best of the others | | ratio (quartiles) |",
            "|---|---|---|---|---|",
            *lines,
        ]
    )


def tokenizing(results: Path) -> str:
    """What a text costs the tokenizer, by what the word cache knows."""
    path = results / "tokenizing.json"
    if not path.is_file():
        return "Not measured yet: `python -m benchmarks.runtime.tokenizing`."
    result = json.loads(path.read_text(encoding="utf-8"))
    ids = result["ids"]
    columns = ("transformers", "encode_batch_fast", "ours, cold", "ours, after other texts", "ours, hot")
    rows = [
        f"| {row['texts']} | {row['n']} | {row['tokens_mean']:.0f} | {100 * row['new_words']:.1f} | "
        + " | ".join(f"{row['microseconds_per_text'][name]:.0f}" for name in columns)
        + " |"
        for row in result["timings"]
    ]
    return "\n".join(
        [
            "Microseconds of CPU time for one text on one thread, medians of "
            f"{result['rounds']} rounds (`python -m benchmarks.runtime.tokenizing`; {result['machine']['cpu']}):",
            "cold with no word in our cache, after other texts with those of the training split, hot with all words of",
            f"these texts. Of {ids['compared']:,} comparisons with the library's ids, in {len(result['settings'])}",
            f"settings, {ids['equal']:,} were equal.",
            "",
            f"| texts | n | tokens | new words, % | {' | '.join(columns)} |",
            f"|{'---|' * (4 + len(columns))}",
            *rows,
        ]
    )
