"""Files kept in a work folder from one run to the next, with a hash that reveals damage before they are reused.

A power cut or a full disk may leave a file truncated, empty or with wrong bytes. Such a file is recreated, with a
warning.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from leanformer.files import sha256_file, sha256_json, write_text

Say = Callable[[str], None]
CHECK = "sha256"
"""The key of the hash in a file that `keep` wrote; it covers all others."""


def keep(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object together with the hash of its content."""
    plain = json.loads(json.dumps(dict(value), allow_nan=False))
    write_text(path, _written(plain))


def _written(plain: Mapping[str, Any]) -> str:
    return json.dumps({**plain, CHECK: sha256_json(plain)}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def kept(path: Path, say: Say, *, again: str) -> dict[str, Any] | None:
    """The object that `keep` wrote, without its hash; None if there is no file, or a damaged one, with a warning.

    Args:
        again: the consequence of the damage, shown after a semicolon: "measured again".
    """
    if not path.is_file():
        return None
    try:
        text = path.read_bytes().decode("utf-8")
        value = json.loads(text)
        # Compared byte by byte, not only by content: if anything was lost, nothing in the file can be trusted.
        if value.pop(CHECK) == sha256_json(value) and text == _written(value):
            return dict(value)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    damaged(path, say, again=again)
    return None


def damaged(path: Path, say: Say, *, again: str, how: str = "damaged, or of an earlier version") -> None:
    """Warn that a file cannot be reused."""
    say(f"warning: {path}: {how}; {again}")


def described(folder: Path) -> dict[str, dict[str, Any]]:
    """Size and hash of every file directly in a folder, for `differing`."""
    return {
        path.name: {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
        for path in sorted(folder.iterdir())
        if path.is_file()
    }


def differing(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> Path | None:
    """The first file in a folder that is missing or differs from `described`; None if all are equal."""
    for name, entry in files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != entry["bytes"] or sha256_file(path) != entry["sha256"]:
            return path
    return None
