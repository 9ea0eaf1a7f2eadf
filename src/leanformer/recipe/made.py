"""Artifacts that a work folder keeps: found again whole, or made again with a word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from leanformer.artifact import MANIFEST, Artifact, is_artifact, open_artifact
from leanformer.errors import ArtifactError
from leanformer.files import remove_folder, sha256_file
from leanformer.kept import damaged, keep, kept

CHECK = "made.json"


def note_made(folder: Path) -> None:
    """Note the manifest of an artifact that was made, which has the hashes of all other files."""
    keep(folder / CHECK, {"manifest": sha256_file(folder / MANIFEST)})


def find_made(folder: Path, say: Callable[[str], None]) -> Artifact | None:
    """The artifact in a folder of the work folder; None where there is none, or a damaged one, which is removed.

    One without a note (of an earlier version, or of a run that was killed before it wrote one) is known by the hashes
    in its manifest alone, and gets its note.
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
