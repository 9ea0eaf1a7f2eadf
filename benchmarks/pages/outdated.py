"""The marks of figures that are older than the code they speak of, or were taken on a busy machine.

Each result names a record of the sources that made it (`benchmarks/provenance.py`); a page is compared with the sources
that are there. A mark names no commit but those stored, so a page changes once, with the first change of a
source after a measurement, and stays as it is until somebody measures again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.provenance import here, recorded, under

_LADDERS = ("engine", "training", "measuring")
# Table of a page -> its results (files, or patterns of them, below results/), and the parts its figures depend on.
TABLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "summary": (
        ("sst2/thorough.json", "trec/report.json", "banking77/report.json", "stsb/report.json",
         "afrisenti/hau/report.json"), _LADDERS,
    ),
    "compared": (("runtime.json",), ("engine", "peers")),
    "ladder": (("sst2/thorough.json",), _LADDERS),
    "sets": (
        ("sst2/fastformers.json", "trec/report.json", "banking77/report.json", "mrpc/report.json", "stsb/report.json",
         "afrisenti/hau/report.json"), _LADDERS,
    ),
    "taggers": (("xtremedistil/sizes.json", "xtremedistil/teacher.json"), ("engine", "training", "corpora")),
    "recipes": (("sst2/quick-pruned.json", "sst2/fastformers.json", "sst2/thorough.json"), _LADDERS),
    "importance": (("sst2/pruning.json",), _LADDERS),
    "students": (("sst2/students.json",), ("training",)),
    "base size": (("base/report.json",), _LADDERS),
    "runtime": (("runtime.json",), ("engine", "peers")),
    "peaks": (("peaks.json",), ()),
    "tokenizing": (("tokenizing.json",), ("engine",)),
    "workers": (("workers.json",), ("engine",)),
    "search": (("search/*.json",), (*_LADDERS, "search", "cascade")),
    "reliability": (
        ("killed.json", "memory.json", "batch_invariance.json", "other_cpu.json", "serve.json"),
        ("engine", "training", "server"),
    ),
    "tables": (("xtremedistil/*.json",), ("training", "corpora")),
    "quality": (("quality_cost.json",), _LADDERS),
    "energy": (("energy.json",), _LADDERS),
    "label errors": (("data/label_errors.json",), ("curation",)),
    "duplicates": (("data/duplicates.json",), ("curation",)),
    "served": (("serve.json",), ("server", "engine")),
    "clients": (("clients.json",), ("server",)),
    "trials": (("trials/*.json",), ("training",)),
    "selection": (("data/selection.json",), ("curation",)),
    "maps": (("data/maps.json",), ("curation",)),
    "members": (("family/trec.json",), ("training", "engine")),
    "exits": (("family/exits.json",), ("training", "engine")),
    "active": (("data/active.json",), ("curation",)),
    "curves": (("data/curves.json",), ("curation",)),
    "atlas sequences": (("atlas/sequences.json",), ("training",)),
    "atlas tuning": (("atlas/tuning.json",), ("training",)),
    "atlas sparsity": (("atlas/sparsity.json",), ("training",)),
}  # fmt: skip
_NAMES = {
    "engine": "the engine", "training": "training and compression", "curation": "curation",
    "measuring": "how it is measured",
    "search": "the search", "cascade": "cascades", "server": "the server", "peers": "how the others are run",
    "corpora": "the corpora",
}  # fmt: skip


def made(result: Any) -> Iterator[Mapping[str, Any]]:
    """What was measured at once: a result, or each of its rows, cells or ladders."""
    if isinstance(result, list):
        yield from result
    elif "commit" in result:
        yield result
    elif "cells" in result:
        yield from result["cells"]
    elif all(isinstance(value, dict) for value in result.values()):
        yield from result.values()
    else:
        yield result


def reasons(part: Mapping[str, Any], depends: Iterable[str], now: Mapping[str, str], results: Path) -> list[str]:
    """Why these figures are not of the code that is there, or may be off; empty where nothing is known against them."""
    found = []
    if "commit" not in part:
        found.append("before results named their commit")
    elif "sources" not in part:
        found.append("from sources that are not in the repository")
    elif changed := [_NAMES[name] for name in depends if _changed(recorded(part["sources"], results), name, now)]:
        *first, last = changed
        found.append(f"before the last change of {' and '.join(filter(None, [', '.join(first), last]))}")
    # A ladder tells the load while its rungs were timed, and not only that of the whole program.
    load = part.get("machine_load") or part.get("load") or {}
    if load.get("busy"):
        found.append("on a busy machine")
    return found


def _changed(then: Mapping[str, str], part: str, now: Mapping[str, str]) -> bool:
    """Whether a source of this part that was loaded then does something else now, or is gone."""
    return any(now.get(path) != value for path, value in then.items() if under(path, part))


def mark(results: Path, table: str, now: Mapping[str, str] | None = None) -> str:
    """A sentence below the table: which of its figures were measured before what, or ""; unknown tables have none."""
    files, depends = TABLES.get(table, ((), ()))
    paths = [path for pattern in files for path in sorted(results.glob(pattern))]
    by_reason: dict[str, list[str]] = {}
    for path in paths:
        result = json.loads(path.read_text(encoding="utf-8"))
        name = path.relative_to(results).with_suffix("").as_posix()
        for part in made(result):
            for reason in reasons(part, depends, now or here(), results):
                by_reason.setdefault(reason, [])
                if name not in by_reason[reason]:
                    by_reason[reason].append(name)
    said = "; ".join(
        f"measured {reason}" + (f" ({', '.join(names)})" if len(names) < len(paths) else "")
        for reason, names in by_reason.items()
    )
    return f"*{said[0].upper()}{said[1:]}.*" if said else ""
