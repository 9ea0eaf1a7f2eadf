"""Write docs/atlas.md and docs/coverage.md from atlas.yaml and benchmarks/results/atlas/.

With `--check` nothing is written; the exit status is 1 if a page differs, or if an entry of atlas.yaml says nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.atlas.entries import STATES, Atlas, Row, Technique, problems, read_atlas, states, stored
from benchmarks.pages import sparsity_table, tuning_table
from benchmarks.pages.markdown import NOT_YET, table
from benchmarks.pages.outdated import mark
from benchmarks.paths import RESULTS, ROOT
from leanformer.files import write_text

MADE = "<!-- made by `python -m benchmarks.pages.atlas` from atlas.yaml and benchmarks/results/atlas/ -->"
_COLUMNS = (
    "technique", "set", "quality", "control", "difference, 95 % interval", "verdict", "seeds", "n", "parameters",
    "MB", "MFLOPs", "training, CPU s",
)  # fmt: skip
_TIMES = ("technique", "slope", "faster from", "tokens", "ms", "peak MB", "engine")
_ENTRIES = ("technique", "paper", "file, lines", "exact limit", "published")


def atlas_page(atlas: Atlas, results: Path = RESULTS) -> str:
    """docs/atlas.md."""
    measured = stored(atlas.benches, results)
    parts = [MADE, "# The atlas", _INTRODUCTION]
    for name, bench in atlas.benches.items():
        parts += [f"## {bench['title']}", *_bench(name, bench, atlas.bench(name), measured[name], results)]
    return "\n\n".join(filter(None, parts)) + "\n"


_INTRODUCTION = """Techniques of the field, each beside its control under equal conditions, whether it helps or not. A
reference technique is a small file with a pure function that can be imported; it is no step of a
recipe, and export refuses it. The verdict is computed from the 95 % interval of the paired
difference to the control: better, worse, or no difference shown. Published figures are those of the
papers, under other conditions.

`leanformer techniques --all` lists them. `make atlas` measures all of it again, and `python -m
benchmarks.atlas.sequences --only performer` one row. To add a kind of attention: its dataclass in
`shapes/mixers.py`, a file of its name with a function of that name in `models/attention/`, a test
file, and an entry in `atlas.yaml`; the contracts in `tests/contracts/test_atlas.py` and the bench
then take it up. To add a way of fine-tuning: a file with an `Adapter` in `train/adapters/`, its test
file, its line in `catalog.py` and its entry; the contracts are in
`tests/contracts/test_atlas_tuning.py`. To add a way to compress weights: a file in `compress/prune/`,
`compress/quantise/` or `train/hooks/`, its test file, its line in `catalog.py`, how it is applied in
`benchmarks/atlas/compressing.py`, its options in `sparsity.py` beside it, and its entry; the
contracts are in `tests/contracts/test_atlas_sparsity.py`."""


def _bench(
    name: str,
    bench: Mapping[str, str],
    techniques: Sequence[Technique],
    rows: Sequence[Mapping[str, Any]],
    results: Path,
) -> list[str]:
    written = [technique for technique in techniques if technique.code]
    missing = [technique for technique in techniques if technique.missing]
    parts = [f"The control is {bench['control'][0].lower()}{bench['control'][1:]}."]
    if written:
        parts += LAYOUTS[name](written, rows)
        parts += [mark(results, f"atlas {name}"), "### What each is"]
        parts.append(table(_ENTRIES, [_entry(technique) for technique in written]))
    if missing:
        parts += ["### Not here", table(("technique", "paper", "state"), [_absent(each) for each in missing])]
    return parts


def sequence_tables(techniques: Sequence[Technique], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Quality, then time and memory."""
    quality = ["### Quality", _QUALITY_IS, table(_COLUMNS, _quality(techniques, rows))]
    return [*quality, "### Time and memory", _TIMES_ARE, table(_TIMES, _times(techniques, rows))]


# Bench -> what its tables are made by, of its techniques with code and its stored rows.
LAYOUTS: dict[str, Callable[[Sequence[Technique], Sequence[Mapping[str, Any]]], list[str]]] = {
    "sequences": sequence_tables,
    "tuning": tuning_table.tables,
    "sparsity": sparsity_table.tables,
}

_QUALITY_IS = """A model of two layers and a width of 128 from random weights, with equal parameters, steps and
batches for every kind. The steps are few: look at what the control has learnt. Of nested lists, whose ten labels are
about equally frequent, a constant answer gets 11 % right; no difference to a control that is not far above this says
little."""
_TIMES_ARE = """One layer's attention, width 384, 12 heads, one text, one thread. The slope is that of log time in
log length from 1,024 to 8,192 tokens; "faster from" is the shortest measured length from which on
it is faster than the control."""


def _quality(techniques: Sequence[Technique], rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    found = []
    for technique in techniques:
        own = [row for row in rows if row["technique"] == technique.name and row["set"]]
        found += [_scores(row) for row in own] or [(technique.name, NOT_YET, *[""] * (len(_COLUMNS) - 2))]
    return found


def _scores(row: Mapping[str, Any]) -> tuple[str, ...]:
    spread = "" if row["deviation"] is None else f" ± {row['deviation']:.1f}"
    gain = "-" if row["verdict"] is None else f"{row['difference']:+.1f} ({row['low']:+.1f} to {row['high']:+.1f})"
    return (
        row["technique"], row["set"], f"{row['quality']:.1f}{spread}", f"{row['control_quality']:.1f}", gain,
        row["verdict"] or "the control", str(len(row["seeds"])), f"{row['n']:,}", f"{row['parameters']:,}",
        f"{row['bytes'] / 1e6:.1f}", f"{row['flops'] / 1e6:.0f}", f"{row['train_cpu_seconds']:.0f}",
    )  # fmt: skip


def _times(techniques: Sequence[Technique], rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    found = []
    for technique in techniques:
        row = next((row for row in rows if row["technique"] == technique.name and row["times"]), None)
        found.append((technique.name, NOT_YET, *[""] * (len(_TIMES) - 2)) if row is None else _time(row))
    return found


def _time(row: Mapping[str, Any]) -> tuple[str, ...]:
    # The last length says less than all do where memory or time ran out before it.
    ended = row["times"][-1].get("why")
    tokens = f"{row['infer_tokens']:,}" + (f" ({row['times'][-1]['tokens']:,}: {ended})" if ended else "")
    faster = "never" if row["overtakes"] is None else f"{row['overtakes']:,}"
    control = row["technique"] == "Softmax attention"
    return (
        row["technique"], "-" if row["slope"] is None else f"{row['slope']:.2f}", "-" if control else faster, tokens,
        f"{row['infer_ms']:.0f}", "-" if row["peak_mb"] is None else f"{row['peak_mb']:.0f}", row["engine"],
    )  # fmt: skip


def _entry(technique: Technique) -> tuple[str, ...]:
    where = f"`{technique.file.relative_to(ROOT / 'src' / 'leanformer').as_posix()}`, {technique.lines}"
    return technique.name, technique.paper, where, technique.limit or "-", technique.published or "-"


def _absent(technique: Technique) -> tuple[str, ...]:
    return technique.name, technique.paper, technique.missing


def coverage_page(atlas: Atlas, results: Path = RESULTS) -> str:
    """docs/coverage.md: counts first, then every row."""
    state = states(atlas, results)
    measured = {entry["technique"] for each in stored(atlas.benches, results).values() for entry in each}
    counts = Counter(state.values())
    parts = [MADE, "# Coverage", _COVERAGE.format(rows=len(atlas.rows))]
    parts.append(table(("state", "rows", "meaning"), [
        (name, str(counts[name]), meaning) for name, meaning in STATES.items()
    ]))  # fmt: skip
    parts.append(table(("row", "technique or system", "papers", "state", "where, what is missing, or why"), [
        (str(row.row), row.name, row.paper, state[row.row], _where(row, atlas, measured)) for row in atlas.rows
    ]))  # fmt: skip
    return "\n\n".join(parts) + "\n"


_COVERAGE = """What FastFormers, XtremeDistil, a tutorial and a survey of efficient NLP name, {rows} techniques
and systems in their order, and how much of it is here. A row works and is measured if a technique of
the catalogue or a module has a stored result."""


def _where(row: Row, atlas: Atlas, measured: Collection[str]) -> str:
    written = [technique.name for technique in atlas.techniques if technique.code and row.row in technique.rows]
    said = [", ".join(f"`{name}`" for name in (*row.by, *row.results))]
    # Where a row has several techniques, its state is that of the best known.
    some = any(name in measured for name in written)
    said.append(", ".join(
        f"[{name}](atlas.md)" + (" (not measured)" if some and name not in measured else "") for name in written
    ))  # fmt: skip
    return "; ".join(filter(None, [*said, row.lacks, row.reason, row.absent]))


def pages(atlas: Atlas, results: Path = RESULTS) -> dict[Path, str]:
    """Each page with its text."""
    folder = ROOT / "docs"
    return {folder / "atlas.md": atlas_page(atlas, results), folder / "coverage.md": coverage_page(atlas, results)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 where a page is stale")
    check = parser.parse_args().check
    atlas = read_atlas()
    wrong = problems(atlas)
    for path, text in pages(atlas).items():
        if not check:
            write_text(path, text)
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            wrong.append(f"{path.name} differs from the results; remedy: python -m benchmarks.pages.atlas")
    for sentence in wrong:
        print(sentence)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
