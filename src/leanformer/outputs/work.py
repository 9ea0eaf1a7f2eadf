"""Work folders: they hold what a resumed run needs, and nothing of others may be lost in them.

Everything that Leanformer removes or replaces in a work folder has a recognisable name. A folder is accepted if it is
empty or contains such files; not if all files are of others, or a file that is not ours has one of these names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from leanformer.errors import LeanformerError
from leanformer.files import is_temporary
from leanformer.outputs.place import folder_place

_HASHED = r"[0-9a-f]{16}"
_CHECKPOINT = r"(model|optimizer|best|random|hook-\w+)\.safetensors|state\.json"


def check_work(work: Path, output: Path) -> None:
    """Check that `work` can be the work folder for output to `output`.

    Raises `LeanformerError` if it is a file, is in the output folder, or holds files that are not ours.
    """
    place = Path(os.path.realpath(work))
    if place.is_relative_to(os.path.realpath(output)):
        raise LeanformerError(f"{work}: the work folder lies in the output folder\n  remedy: another --work folder")
    if not place.exists():
        folder_place(work)
        return
    if not place.is_dir():
        raise LeanformerError(f"{work}: is a file, and the work folder would be there\n  remedy: {_REMEDY}")
    found = False
    entries = [entry for entry in sorted(place.iterdir()) if not is_temporary(entry)]
    for entry in entries:
        is_ours = next((predicate for name, predicate in _NAMES if re.fullmatch(name, entry.name)), None)
        if is_ours is not None and is_ours(entry):
            found = True
        elif is_ours is not None and entry.suffix != _JOURNAL:  # a copy of a damaged journal is kept
            raise LeanformerError(
                f"{entry}: is not of Leanformer's making, and would be overwritten\n  remedy: {_REMEDY}"
            )
    if entries and not found:
        raise LeanformerError(
            f"{work}: exists and is no work folder of Leanformer's; it will not be used\n  remedy: {_REMEDY}"
        )


_REMEDY = "another --work folder, or another --output; or move it away"


def _holds(pattern: str) -> Callable[[Path], bool]:
    return lambda folder: (
        folder.is_dir() and all(re.fullmatch(pattern, entry.name) or is_temporary(entry) for entry in folder.iterdir())
    )


def _is_checkpoint(folder: Path) -> bool:
    return folder.is_dir() and all(re.fullmatch(_CHECKPOINT, entry.name) for entry in folder.iterdir())


def _begins(*beginnings: bytes) -> Callable[[Path], bool]:
    """A check that a file begins with one of these; it may be cut short by a kill."""

    def is_ours(path: Path) -> bool:
        if not path.is_file():
            return False
        with open(path, "rb") as file:
            start = file.read(max(map(len, beginnings)))
        return any(start.startswith(beginning) or beginning.startswith(start) for beginning in beginnings)

    return is_ours


_JOURNAL = ".jsonl"
_NAMES: tuple[tuple[str, Callable[[Path], bool]], ...] = (
    ("checkpoint", _is_checkpoint),
    ("vectors", _holds(r"encoder|tokenizer.*")),
    (r"choice\.json", _begins(b'{\n  "identity": ')),
    (r"steps|running|locks|cache", _holds(rf".+-{_HASHED}")),
    ("floor", _holds(_HASHED)),
    ("figures", _holds(rf".+-{_HASHED}\.json")),
    (r"trials\.jsonl", _begins(b'{"event": "search", "version": ')),
    (rf"latency-{_HASHED}\.jsonl", _begins(b'{"event": "timed", ')),
    (rf"(measured|front)-{_HASHED}\.json", Path.is_file),
    (rf"teacher-{_HASHED}", Path.is_dir),
    (r"timing-\w+", Path.is_dir),
)
"""Names of what lies in a work folder, and by what it is known to be ours."""
