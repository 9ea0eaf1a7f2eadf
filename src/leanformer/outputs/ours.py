"""Which files in a folder were written by Leanformer: those in its manifests, and those that it writes next to them.

A file is ours if a manifest, or the record `beside.json`, lists it with its current hash. Files written after that
record (tuning, the effort of a step), and those of earlier versions without a record, are recognised by their content.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from leanformer.artifact import MANIFEST, USED_TEXTS, Artifact, open_artifact
from leanformer.errors import ArtifactError
from leanformer.files import sha256_file

BESIDE, SEARCH, FAMILY = "beside.json", "search.json", "family.json"
_LARGEST_JSON = 1 << 28


def artifact_of(folder: Path) -> Artifact | None:
    """The artifact in a folder, without checking its files; None if there is none."""
    try:
        return open_artifact(folder, verify=False)
    except (ArtifactError, OSError, RecursionError):
        return None


def is_search(folder: Path) -> bool:
    return _search(folder / SEARCH)


def is_family(path: Path) -> bool:
    """Whether a file describes the members of a family."""
    return _has(path, "format_version", "members", "teacher_quality") and isinstance(read_json(path)["members"], list)


def is_curation(folder: Path) -> bool:
    """Whether a folder is the output of `leanformer curate`."""
    return _has(folder / "report.json", "format_version", "card", "clusters", "leaks", "applied")


def may_be_curated(name: str) -> bool:
    """Whether `leanformer curate` may write to this path in its output folder."""
    return (
        re.fullmatch(
            r"clusters\.jsonl|suspects\.(jsonl|html)|map\.(jsonl|svg)|"
            r"(train|dev|test|unlabelled)\.(jsonl|csv|tsv|txt|conll)",
            name,
        )
        is not None
    )


def theirs(folder: Path) -> list[str]:
    """Sorted relative paths of everything in `folder` that is not as we wrote it: files, links, empty folders."""
    bases = _bases(folder)
    hashes = _hashes(folder, bases)
    found: list[str] = []

    def unreadable(error: OSError) -> None:
        found.append(Path(error.filename).relative_to(folder).as_posix())

    for above, names, files in os.walk(folder, onerror=unreadable):
        here = Path(above).relative_to(folder)
        links = [name for name in names if Path(above, name).is_symlink()]
        for name in (*files, *links):
            path = Path(above, name)
            if not _is_ours(path, (here / name).as_posix(), bases, hashes):
                found.append((here / name).as_posix())
        if not names and not files and here.as_posix() not in (".", *_OUR_FOLDERS):
            found.append(here.as_posix())
    return sorted(found)


def record(folder: Path) -> dict[str, str]:
    """The hashes of all files in a new folder that none of its manifests lists, and of the manifests themselves."""
    bases = _bases(folder)
    named = _named(bases)
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    found = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: sha256_file(path) for name, path in found.items() if name not in named}


def may_be_written(name: str) -> bool:
    """Whether Leanformer may write to this path in an output folder, whatever is there now."""
    top, _, _ = name.partition("/")
    return top in (*_KNOWN, *_WRITTEN, *_OUR_FOLDERS) or top.endswith(".safetensors")


_OUR_FOLDERS = ("tuning", "members", "front")
_WRITTEN = (
    MANIFEST, BESIDE, "encoder.json", "bilstm.json", "cascade.json", "tokenizer.json", "model.onnx",
    "config.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "vocab.json", "merges.txt",
)  # fmt: skip


def _bases(folder: Path) -> dict[str, Artifact | None]:
    """Path prefixes of the artifacts in the folder: the folder itself, members, the front."""
    whole = artifact_of(folder)
    bases = {"": whole}
    inside: set[str] = set()
    if is_family(folder / FAMILY):
        inside = {f"members/{number}/" for number in range(len(read_json(folder / FAMILY)["members"]))}
    elif whole is not None:
        inside = {found[0] for name in whole.files if (found := re.match(r"members/\d+/", name))}
    elif is_search(folder):
        numbers = json.loads((folder / SEARCH).read_text(encoding="utf-8"))["front"]
        inside = {f"front/trial-{number:03}/" for number in numbers if isinstance(number, int)}
    for base in sorted(inside):
        if (member := artifact_of(folder / base)) is not None:
            bases[base] = member
            bases |= {base + name: artifact for name, artifact in _bases(folder / base).items() if name}
    return bases


def _named(bases: Mapping[str, Artifact | None]) -> dict[str, str]:
    return {
        base + name: str(entry["sha256"])
        for base, artifact in bases.items()
        if artifact is not None
        for name, entry in artifact.files.items()
    }


def _hashes(folder: Path, bases: Mapping[str, Artifact | None]) -> dict[str, str]:
    try:
        recorded = json.loads((folder / BESIDE).read_text(encoding="utf-8"))["files"]
        if not isinstance(recorded, dict):
            recorded = {}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        recorded = {}
    return recorded | _named(bases)


def _is_ours(path: Path, name: str, bases: Mapping[str, Artifact | None], hashes: Mapping[str, str]) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    if name in hashes:
        return sha256_file(path) == hashes[name]
    base = max((base for base in bases if name.startswith(base)), key=len)
    inner = name.removeprefix(base)
    if inner == MANIFEST:
        return bases[base] is not None
    if re.fullmatch(r"tuning/(family|time)-[0-9a-f]{16}\.json", inner):
        return _has(path, "format_version", "machine", "sha256")
    if re.fullmatch(r"tuning/[0-9a-f]{16}\.json", inner):
        return _has(path, "format_version", "content", "machine", "choice")
    return inner in _KNOWN and _KNOWN[inner](path)


def read_json(path: Path) -> Any:
    """Content of a JSON file; None if it is not valid JSON, or larger than any that we write."""
    try:
        if path.stat().st_size > _LARGEST_JSON:
            return None
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _has(path: Path, *keys: str) -> bool:
    value = read_json(path)
    return isinstance(value, dict) and {*keys} <= {*value}


def _search(path: Path) -> bool:
    value = read_json(path)
    return _has(path, "format_version", "trials", "spent") and isinstance(value.get("front"), list)


def is_report(path: Path) -> bool:
    """Whether a file is a report written by `compress`, `search` or `bench`."""
    return _has(path, "format_version", "title", "rungs", "machine")


def is_page(path: Path) -> bool:
    """Whether a file is a page of `leanformer report`, in one of its three formats."""
    if path.suffix == ".json":
        return _has(path, "reports", "points", "pareto_fronts")
    text = _beginning(path, None if path.suffix == ".md" else 4096)
    if path.suffix == ".md":
        return text.startswith("# ") and "\n## Pareto fronts\n" in text and "\n## How each was made\n" in text
    return text.startswith("<!doctype html>") and "content=\"default-src 'none'; style-src 'unsafe-inline'" in text


def _beginning(path: Path, size: int | None = 4096) -> str:
    try:
        with open(path, encoding="utf-8") as handle:
            return handle.read(size or _LARGEST_JSON)
    except (OSError, ValueError):
        return ""


def _begins(path: Path, beginning: bytes) -> bool:
    with open(path, "rb") as handle:
        return handle.read(len(beginning)) == beginning


def _is_titled(path: Path) -> bool:
    """Whether a Markdown report or card begins with the title of the report, or of the search, in the same folder."""
    titles = []
    for name, key, before in (("report.json", "title", ""), (SEARCH, "name", "The search ")):
        value = read_json(path.with_name(name))
        if isinstance(value, dict) and value.get(key):
            titles.append(f"# {before}{value[key]}\n")
    return _beginning(path).startswith(tuple(titles))


_KNOWN: dict[str, Callable[[Path], bool]] = {
    "report.json": lambda path: is_report(path) or is_page(path),
    "report.html": is_page,
    "report.md": lambda path: is_page(path) or _is_titled(path),
    "README.md": _is_titled,
    "dev_rows.json": lambda path: _has(path, "taken_from", "rows"),
    "training.json": lambda path: _has(path, "seconds", "best_epoch"),
    "effort.json": lambda path: _has(path, "step", "technique", "whole", "energy"),
    "recipe.yaml": lambda path: " of the search " in _beginning(path),
    "trials.svg": lambda path: _beginning(path).startswith("<svg") and is_search(path.parent),
    "expected.svg": lambda path: _beginning(path).startswith("<svg") and is_search(path.parent),
    FAMILY: is_family,
    "gate.json": lambda path: _has(path, "artifact", "against", "ships", "checks"),
    SEARCH: _search,
    BESIDE: lambda path: _has(path, "format_version", "files"),
    USED_TEXTS: lambda path: _begins(path, b'{"leanformer_used_texts"'),
}
"""Names of what may lie beside a manifest, and by what such a file is known to be ours."""
