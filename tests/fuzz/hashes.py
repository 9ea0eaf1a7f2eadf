"""Makes the hashes of a mutated artifact right again, or else only their check would be tried."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from leanformer.artifact import MANIFEST
from leanformer.files import sha256_file, sha256_json


def repair(folder: Path) -> None:
    """Write sizes and hashes of all files into the manifest, and of a cascade those of its members.

    What of it cannot be read any more stays as it is.
    """
    members = sorted((folder / "members").glob("*")) if (folder / "members").is_dir() else []
    for member in members:
        repair(member)
    if members:
        _repair_plan(folder, members)
    manifest = _read(folder / MANIFEST)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        return
    for name, entry in manifest["files"].items():
        path = folder / name
        if isinstance(entry, dict) and path.is_file():
            entry |= {"sha256": sha256_file(path), "bytes": path.stat().st_size}
    _write(folder / MANIFEST, manifest)


def _repair_plan(folder: Path, members: list[Path]) -> None:
    plan, manifest = _read(folder / "cascade.json"), _read(folder / MANIFEST)
    if isinstance(plan, dict):
        plan["members"] = [_content(_read(member / MANIFEST)) for member in members]
        _write(folder / "cascade.json", plan)
    if isinstance(manifest, dict) and isinstance(manifest.get("properties"), dict):
        manifest["properties"]["member_manifests"] = [
            sha256_file(member / MANIFEST) if (member / MANIFEST).is_file() else "0" * 64 for member in members
        ]
        if isinstance(manifest.get("files"), dict):
            inner = {f"members/{member.name}/{name}" for member in members for name in _files(member)}
            manifest["files"] = {
                name: {"sha256": "", "bytes": 0} for name in {*manifest["files"], *inner} if (folder / name).is_file()
            }
        _write(folder / MANIFEST, manifest)


def _files(folder: Path) -> list[str]:
    manifest = _read(folder / MANIFEST)
    files = manifest.get("files") if isinstance(manifest, dict) else None
    return [name for name in files if isinstance(name, str) and "\0" not in name] if isinstance(files, dict) else []


def _content(manifest: Any) -> str:
    """As `Artifact.content_hash`, of a manifest that may be anything."""
    try:
        files = {name: entry["sha256"] for name, entry in manifest["files"].items()}
        return sha256_json({name: manifest[name] for name in ("format", "task", "max_tokens")} | {"files": files})
    except (KeyError, TypeError, AttributeError, ValueError):
        return "0" * 64


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _write(path: Path, value: Any) -> None:
    try:
        text = json.dumps(value, indent=2)
    except (ValueError, RecursionError):
        return
    path.write_text(text, encoding="utf-8")
