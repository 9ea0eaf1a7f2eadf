"""Artifacts in a work folder: reused if complete, otherwise removed with a warning and recreated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from leanformer.artifact import MANIFEST, Artifact, is_artifact, open_artifact
from leanformer.errors import ArtifactError
from leanformer.files import remove_folder, sha256_file
from leanformer.kept import damaged, keep, kept

CHECK = "made.json"


def note_made(folder: Path) -> None:
    """Record the hash of a new artifact's manifest, which has the hashes of all other files."""
    keep(folder / CHECK, {"manifest": sha256_file(folder / MANIFEST)})


def find_made(folder: Path, say: Callable[[str], None]) -> Artifact | None:
    """The artifact in a folder of the work folder; None if there is none, or a damaged one, which is removed.

    An artifact without that record (made by an earlier version, or by a run that was killed before it wrote the record)
    is verified by the hashes in its manifest alone, and then gets a record.
    """
    if not folder.exists():
        return None
    again = "made again"
    try:
        if not is_artifact(folder):
            damaged(folder / MANIFEST, say, again=again, how="missing")
        elif not (folder / CHECK).exists():
            artifact = open_artifact(folder)
            note_made(folder)
            return artifact
        elif (note := kept(folder / CHECK, say, again=again)) is not None:
            if note["manifest"] == sha256_file(folder / MANIFEST):
                return open_artifact(folder)
            damaged(folder / MANIFEST, say, again=again, how="damaged")
    except ArtifactError as error:
        say(f"warning: {str(error).splitlines()[0]}; {again}")
    remove_folder(folder)
    return None
