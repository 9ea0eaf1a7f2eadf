"""Answers in numbered parts on shared storage, so that each input gets exactly one answer.

The input is split into parts with a fixed number of rows, so a part's number determines its rows. A worker writes a
complete part under a unique name and renames it, which atomically replaces the result of any other attempt. There is
thus at most one complete file per number, however often a part was tried. Joining reads each number once, compares
every line with the input row that it answers, and fails if one is missing.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from leanformer.bulk import Asked, Tally, text_fields
from leanformer.errors import LeanformerError
from leanformer.files import is_temporary, new_file, remove_folder, write_json

JOB, FORMAT_VERSION = "job.json", 2


def parts_folder(output: Path) -> Path:
    """Where the parts of an output file are kept until they are joined: next to it, so on the same storage."""
    return output.with_name(f"{output.name}.parts")


def part_path(folder: Path, number: int) -> Path:
    return folder / f"part-{number:06d}.jsonl"


def begin(folder: Path, job: dict[str, Any]) -> None:
    """Create the folder of a job, or resume one that was stopped.

    Args:
        job: what the parts depend on, as JSON: input, artifact, rows per part.

    Raises `LeanformerError` if the folder holds parts of another job, or anything else.
    """
    path, value = folder / JOB, {"format_version": FORMAT_VERSION, **job}
    if path.is_file():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise LeanformerError(f"{path}: not readable ({error})\n  remedy: remove {folder}") from error
        if found != value:
            differing = ", ".join(key for key in value if not isinstance(found, dict) or found.get(key) != value[key])
            raise LeanformerError(
                f"{folder}: holds parts of another job ({differing} differ)\n"
                "  remedy: go on with what was asked for then, or remove the folder"
            )
        check_parts(folder)
        return
    folder.mkdir(parents=True, exist_ok=True)
    check_parts(folder)
    write_json(path, value)


def check_parts(folder: Path) -> None:
    """Raise `LeanformerError` if the folder, which is removed in the end, holds anything besides parts."""
    for entry in sorted(folder.iterdir()):
        if entry.name != JOB and not _PART.fullmatch(entry.name) and not is_temporary(entry):
            raise LeanformerError(
                f"{entry}: is no part of the answers, and would be removed with them\n"
                "  remedy: move it away, or another --output"
            )


_PART = re.compile(r"part-\d{6,}\.jsonl|\.part-\d{6,}\.jsonl\.[0-9a-f]{32}\.partial")


def write_part(path: Path, lines: Iterable[str]) -> None:
    """Write a part under a name that is unique across attempts and machines, and rename it."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        with open(temporary, "x", encoding="utf-8") as handle:
            handle.writelines(line + "\n" for line in lines)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_part(path: Path, rows: Sequence[Asked]) -> list[str]:
    """The lines of a part. Raises `ValueError` unless there is one for each row, in order."""
    # Not splitlines(): it would also split at characters that JSON leaves unescaped within a text.
    lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    if len(lines) != len(rows):
        raise ValueError(f"{len(lines)} answers for {len(rows)} rows")
    for number, (line, row) in enumerate(zip(lines, rows, strict=True), start=1):
        record, fields = json.loads(line), {"row": row.number, **row.kept, **text_fields(row.question)}
        # Compared as JSON, because there may be NaNs.
        if not isinstance(record, dict) or any(
            key not in record or json.dumps(record[key]) != json.dumps(value) for key, value in fields.items()
        ):
            raise ValueError(f"line {number} answers another text")
    return lines


def is_whole(path: Path, rows: Sequence[Asked]) -> bool:
    """Whether a part is there and answers these rows; if not, it has to be recreated."""
    try:
        read_part(path, rows)
    except (OSError, ValueError):
        return False
    return True


def join(folder: Path, output: Path, chunks: Iterable[Sequence[Asked]]) -> Tally:
    """Write all parts, in order, to `output`, and remove them; counts the rows.

    Raises `LeanformerError` if a part does not answer its chunk, if there are other files among the parts, and if no
    row has an answer; nothing is then written.
    """
    check_parts(folder)
    tally = Tally()

    def lines() -> Iterator[str]:
        for number, chunk in enumerate(chunks):
            path = part_path(folder, number)
            try:
                yield from read_part(path, chunk)
            except (OSError, ValueError) as error:
                raise LeanformerError(
                    f"{path}: does not answer its rows of the input ({error})\n"
                    "  remedy: remove that file and run the same command again"
                ) from error

    with new_file(output) as temporary, open(temporary, "w", encoding="utf-8") as handle:
        for line in lines():
            handle.write(line + "\n")
            tally.count(json.loads(line))
        tally.check()
    remove_folder(folder)
    return tally
