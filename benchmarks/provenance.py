"""What stands beside every figure: its commit, what the sources were like, and how busy the machine was meanwhile.

    python -m benchmarks.provenance      tells the sources of all results anew, from their commits

The sources are told as a hash for each part of the project, of what its code does (`canonical.py`). A page compares
them with the code that is there (`pages/outdated.py`), for which no history of the repository is needed.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.canonical import canonical
from benchmarks.paths import RESULTS, ROOT, commit
from leanformer.files import write_json
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
        "src/leanformer/curate",
    ),
    "measuring": ("src/leanformer/measure", "src/leanformer/ladder", "src/leanformer/metrics"),
    "search": ("src/leanformer/search", "src/leanformer/cluster"),
    "cascade": ("src/leanformer/cascade", "src/leanformer/combine"),
    "server": ("src/leanformer/serve",),
    "peers": ("benchmarks/peers", "benchmarks/runtime/run.py", "benchmarks/runtime/interleaved.py"),
    "corpora": ("benchmarks/xtremedistil/multilingual.py", "benchmarks/xtremedistil/taggers.py"),
}  # fmt: skip
_CODE = (".py", ".cpp", ".h")


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


def hashes(files: Mapping[str, Callable[[], str]]) -> dict[str, str]:
    """A hash for each of `PARTS`, of files given as path below the root -> its text."""
    found = {}
    for part, places in PARTS.items():
        digest = sha256()
        for path in sorted(files):
            if path.endswith(_CODE) and any(path == place or path.startswith(f"{place}/") for place in places):
                text = files[path]()
                digest.update(f"{path}\n{canonical(text) if path.endswith('.py') else text}\n".encode())
        found[part] = digest.hexdigest()[:12]
    return found


def files_here(root: Path = ROOT) -> dict[str, Callable[[], str]]:
    """The code of the working tree."""
    paths = [path for folder in ("src", "benchmarks") for path in (root / folder).rglob("*") if path.suffix in _CODE]
    return {path.relative_to(root).as_posix(): lambda path=path: path.read_text(encoding="utf-8") for path in paths}


@cache
def sources() -> dict[str, str]:
    """The hashes of the code of this process, taken when first asked."""
    return hashes(files_here())


def sources_at(name: str) -> dict[str, str] | None:
    """The hashes at a commit; None where it is not in this repository, or was not all that was there."""
    if name.endswith("+"):
        return None
    asked = ["git", "archive", "--format=tar", name, "src", "benchmarks"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True)
    if done.returncode:
        return None
    files: dict[str, Callable[[], str]] = {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        for member in archive:
            if member.name.endswith(_CODE) and (handle := archive.extractfile(member)) is not None:
                files[member.name] = handle.read().decode
    return hashes(files)


def provenance(threads: int | None = None, since: LoadWatch = _AT_START) -> dict[str, Any]:
    """What a program stores beside its figures: commit, sources, load since then, and the machine used so.

    Args:
        threads: that were used; None leaves the machine out.
        since: made when the figures were begun; by default what was made when this module was imported.
    """
    about = {"commit": commit(), "sources": sources(), "load": since.load().to_json()}
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
    known: dict[str, dict[str, str] | None] = {}
    for path in sorted(RESULTS.rglob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        changed = 0
        for part in each_with_commit(result):
            if "sources" not in part:
                continue
            name = str(part["commit"])
            if name not in known:
                known[name] = sources_at(name)
            if known[name] not in (None, part["sources"]):
                part["sources"] = known[name]
                changed += 1
        if changed:
            write_json(path, result)
            print(f"{path.relative_to(ROOT)}: sources of {changed} told anew")
    for name, found in known.items():
        if found is None:
            print(f"{name}: not a commit of this repository alone, so its sources stay as they are")


if __name__ == "__main__":
    main()
