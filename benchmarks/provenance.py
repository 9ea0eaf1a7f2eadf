"""What is stored with every figure: its commit, the sources that made it, and how busy the machine was.

    python -m benchmarks.provenance      removes records of sources that no result names

The sources of a result are those that its program had loaded, so that a new technique does not make the figures of
others look old: a hash of what each does (`canonical.py`). Each set is stored once in results/sources/, and a result
names it by its hash. A page compares them with the code that is there (`pages/outdated.py`), for which no history of
the repository is needed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.canonical import canonical
from benchmarks.paths import RESULTS, ROOT, commit
from leanformer.files import sha256_json, write_json
from leanformer.machine import fingerprint
from leanformer.measure.load import LoadWatch
from leanformer.runtime.cores import allowed_cores

# Parts that figures depend on; a folder stands for the code below it.
PARTS: dict[str, tuple[str, ...]] = {
    "engine": (
        "src/leanformer/runtime", "src/leanformer/words", "src/leanformer/tokenizer.py", "src/leanformer/batching.py",
        "src/leanformer/export",
    ),
    "training": (
        "src/leanformer/train", "src/leanformer/finetune", "src/leanformer/compress", "src/leanformer/models",
    ),
    "curation": ("src/leanformer/curate", "benchmarks/data"),
    "measuring": ("src/leanformer/measure", "src/leanformer/ladder", "src/leanformer/metrics"),
    "search": ("src/leanformer/search", "src/leanformer/cluster"),
    "cascade": ("src/leanformer/cascade", "src/leanformer/combine"),
    "server": ("src/leanformer/serve",),
    "peers": ("benchmarks/peers", "benchmarks/runtime/run.py", "benchmarks/runtime/interleaved.py"),
    "corpora": ("benchmarks/xtremedistil/multilingual.py", "benchmarks/xtremedistil/taggers.py"),
}  # fmt: skip
_CODE = (".py", ".cpp", ".h")
SOURCES = "sources"  # the folder of records, below the results


def processor_seconds() -> float:
    """Seconds of CPU time of this process and of all that it started, those that still run as well."""
    if not hasattr(os, "sysconf") or not Path("/proc/self/stat").is_file():
        return sum(os.times()[:4])
    return _of_family(os.getpid()) / os.sysconf("SC_CLK_TCK")


def _of_family(process: int) -> int:
    """Ticks of a process, of those below it, and of those of all these that have ended."""
    ticks: dict[int, int] = {}
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name stands in brackets and may hold anything.
            fields = path.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        number = int(path.parent.name)
        parents[number] = int(fields[1])
        ticks[number] = sum(map(int, fields[11:15]))
    family, found = {process}, {process}
    while found:
        found = {child for child, parent in parents.items() if parent in found} - family
        family |= found
    return sum(ticks.get(member, 0) for member in family)


def watch() -> LoadWatch:
    """Looks from now on what else runs on the machine."""
    return LoadWatch(allowed_cores(), own=processor_seconds)


_AT_START = watch()


def under(path: str, part: str) -> bool:
    """Whether a path below the root belongs to one of `PARTS`."""
    return any(path == place or path.startswith(f"{place}/") for place in PARTS[part])


def hashes(root: Path = ROOT) -> dict[str, str]:
    """Path below the root -> hash of what the code does, of all code of the working tree that is in a part."""
    paths = [path for folder in ("src", "benchmarks") for path in (root / folder).rglob("*") if path.suffix in _CODE]
    names = {path.relative_to(root).as_posix(): path for path in paths}
    return {name: _hash(names[name]) for name in sorted(names) if any(under(name, part) for part in PARTS)}


def _hash(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return sha256((canonical(text) if path.suffix == ".py" else text).encode()).hexdigest()[:12]


_here = cache(hashes)


def here() -> dict[str, str]:
    """`hashes` of this process's code, taken when first asked."""
    return _here()


def sources(whole: Iterable[str] = ()) -> dict[str, str]:
    """Those of the modules that are loaded in this process, and of what is compiled where the engine is loaded.

    Parts that are `whole` are told in full: a program that takes up models which an earlier run has made does not load
    what made them.

    All of `here` where the package is not run from this working tree.
    """
    files = {str(getattr(module, "__file__", None)) for module in tuple(sys.modules.values())}
    loaded = {Path(name).relative_to(ROOT).as_posix() for name in files if Path(name).is_relative_to(ROOT)}
    if "src/leanformer/__init__.py" not in loaded:
        return here()
    native = any(name.startswith("src/leanformer/runtime/") for name in loaded)
    return {
        name: value for name, value in here().items()
        if name in loaded or (native and not name.endswith(".py")) or any(under(name, part) for part in whole)
    }  # fmt: skip


def record_of(found: Mapping[str, str], results: Path) -> str:
    """Keep hashes of sources below the results, and return the name of the record."""
    name = sha256_json(found)[:12]
    if not (path := results / SOURCES / f"{name}.json").is_file():
        write_json(path, dict(found))
    return name


def recorded(name: str, results: Path) -> dict[str, str]:
    """A record of sources. Raises `FileNotFoundError` where there is none."""
    return dict(json.loads((results / SOURCES / f"{name}.json").read_text(encoding="utf-8")))


def provenance(threads: int | None = None, since: LoadWatch = _AT_START, whole: Iterable[str] = ()) -> dict[str, Any]:
    """What a program stores beside its figures: commit, sources, load since then, and the machine used so.

    Args:
        threads: that were used; None leaves the machine out.
        since: made when the figures were begun; by default what was made when this module was imported.
        whole: see `sources`.
    """
    about = {"commit": commit(), "sources": record_of(sources(whole), RESULTS), "load": since.load().to_json()}
    return about if threads is None else {"machine": fingerprint(threads), **about}


def each_with_commit(result: Any) -> Iterable[dict[str, Any]]:
    """The parts of a result that name a commit: the whole, its rows or its cells."""
    if isinstance(result, dict):
        if "commit" in result:
            yield result
        for value in result.values():
            yield from each_with_commit(value)
    elif isinstance(result, list):
        for value in result:
            yield from each_with_commit(value)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    paths = [path for path in RESULTS.rglob("*.json") if path.parent != RESULTS / SOURCES]
    results = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    named = {part.get("sources") for result in results for part in each_with_commit(result)}
    for path in sorted((RESULTS / SOURCES).glob("*.json")):
        if path.stem not in named:
            path.unlink()
            print(f"removed: {path.relative_to(RESULTS)}")


if __name__ == "__main__":
    main()
