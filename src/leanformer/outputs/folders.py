"""An output folder: refused before the work if it holds files of others, and replaced after the work.

Only files written by Leanformer are removed or overwritten. Files that came into the folder during the work, or that
were there with `--overwrite`, are kept unchanged in the new folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from leanformer.artifact import Artifact
from leanformer.errors import LeanformerError
from leanformer.files import new_folder, write_json
from leanformer.outputs.ours import (
    BESIDE,
    artifact_of,
    is_curation,
    is_search,
    may_be_curated,
    may_be_written,
    record,
    theirs,
)
from leanformer.outputs.place import folder_place

RECORD_VERSION = 1
_SHOWN = 3


def check_folder(
    path: Path,
    *,
    search: bool = False,
    curation: bool = False,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Check that the new folder `path` can be written, and that it would replace only files of ours.

    Args:
        search: the folder that may be replaced is that of a search. curation: one that `leanformer curate` wrote.
            Without either, an artifact.
        overwrite: keep other files in the folder that is replaced, and report them; otherwise they are refused.

    Raises `LeanformerError`, naming the obstacle, if it cannot be written.
    """
    place = folder_place(path)
    if not place.exists() or not any(place.iterdir()):
        return
    what = "of a search" if search else "of `leanformer curate`" if curation else "an artifact"
    if not (is_search(place) if search else is_curation(place) if curation else artifact_of(place)):
        raise LeanformerError(
            f"{path}: exists and is not {what}; it will not be overwritten\n  remedy: another --output"
        )
    if not (found := theirs(place)):
        return
    if clashing := [name for name in found if may_be_written(name) or (curation and may_be_curated(name))]:
        raise LeanformerError(
            f"{path}: {_listed(clashing)} {_is(clashing)} not as Leanformer wrote it, and would be overwritten\n"
            f"  remedy: another --output; or move {'it' if len(clashing) == 1 else 'them'} out of the folder"
        )
    if not overwrite:
        raise LeanformerError(
            f"{path}: {_listed(found)} in it {_is(found)} not of Leanformer's making; it will not be overwritten\n"
            f"  remedy: another --output; or --overwrite, which replaces the rest and keeps "
            f"{'this file' if len(found) == 1 else 'these files'}"
        )
    say(f"note: {_listed(found)} in {path} {_is(found)} not of Leanformer's making and will be kept")


@contextmanager
def new_output(path: Path, say: Callable[[str], None] = lambda line: None) -> Iterator[Path]:
    """`files.new_folder` for a user's output: other files in the old folder are carried over into the new one.

    Files that no manifest names are recorded, so that they can be distinguished from files of others later.

    Raises `LeanformerError` if one of their files has the name of a new one; the old folder is then left unchanged.
    """

    def keep(old: Path, new: Path) -> None:
        if found := theirs(old):
            _take_over(found, old, new, path)
            say(f"note: kept in {path}: {_listed(found)}")

    with new_folder(path, keep) as temporary:
        yield temporary
        write_json(temporary / BESIDE, {"format_version": RECORD_VERSION, "files": record(temporary)})


def copy_artifact(artifact: Artifact, folder: Path) -> None:
    """Copy all files of an artifact, with its manifest and record of texts, into an existing folder."""
    for name in artifact.names_to_copy:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(artifact.path / name, target)


@contextmanager
def new_artifact(path: Path) -> Iterator[Path]:
    """`files.new_folder` for an artifact, which may replace an empty folder, or an artifact without files of others.

    Raises `LeanformerError` before the block if there is anything else, which is left unchanged.
    """
    if path.exists() and not (path.is_dir() and (not any(path.iterdir()) or _is_ours_alone(path))):
        raise LeanformerError(
            f"{path}: exists, and is not an artifact as Leanformer wrote it; it will not be overwritten\n"
            "  remedy: another folder"
        )
    with new_folder(path) as temporary:
        yield temporary


def _is_ours_alone(path: Path) -> bool:
    return artifact_of(path) is not None and not theirs(path)


@contextmanager
def foreign_output(path: Path) -> Iterator[Path]:
    """The new folder `path` in another program's format, which may replace only an empty folder.

    Raises `LeanformerError` if something is there at the end; the folder is then left unchanged.
    """

    def keep(old: Path, new: Path) -> None:
        check_empty(old)

    with new_folder(path, keep) as temporary:
        yield temporary


def check_empty(path: Path) -> None:
    """Raise `LeanformerError` for a folder that is not empty, and for a file."""
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise LeanformerError(f"{path}: exists; it will not be overwritten\n  remedy: another --output")


def _take_over(found: Sequence[str], old: Path, new: Path, path: Path) -> None:
    """Put the files of `old` with these names into `new` without removing them from `old`: a kill must not lose any."""
    for name in found:
        source, target = old / name, new / name
        above = next(parent for parent in target.parents if os.path.lexists(parent))
        if os.path.lexists(target) or not above.is_dir():
            raise LeanformerError(
                f"{path / name}: is not of Leanformer's making, and what was made has a file of that name\n"
                "  remedy: move it out of the folder and run the same command again"
            )
        _make_folders(source.parent, target.parent)
        if source.is_symlink():
            target.symlink_to(os.readlink(source))
        elif source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        else:
            try:
                os.link(source, target)
            except OSError:  # storage without hard links
                shutil.copy2(source, target)


def _make_folders(source: Path, target: Path) -> None:
    if not target.exists():
        _make_folders(source.parent, target.parent)
        target.mkdir()
        shutil.copystat(source, target)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
