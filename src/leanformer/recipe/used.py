"""The record of all texts that were used to make a recipe's results: from its data and from the models it uses."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.data.dataset import Dataset
from leanformer.data.used_texts import UsedTexts, attach, inherited, recorded
from leanformer.errors import ArtifactError
from leanformer.step import Make, path_options


def has_record(artifact: Artifact) -> bool:
    """Whether an artifact has a readable record; an artifact in the work folder of an older run may have none."""
    try:
        return recorded(artifact) is not None
    except ArtifactError:
        return False


def record_step(made: Artifact, step: Make, inputs: Iterable[Artifact], data: Dataset) -> Artifact:
    """Record what a step's result was made with: its data, everything its inputs were made with, and its own record."""
    paths = (Path(path) for path in path_options(step).values())
    given = [*inputs, *(open_artifact(path, verify=False) for path in paths if is_artifact(path))]
    used = data.used_texts
    for artifact in given:
        used |= inherited(artifact)
    return attach(made, used | inherited(made) if has_record(made) else used)


def record_delivered(folder: Path, data: Dataset) -> Artifact:
    """Add to the record of a chosen artifact the data that it was chosen and reported with."""
    artifact = open_artifact(folder, verify=False)
    return attach(artifact, inherited(artifact) | data.used_texts | UsedTexts.of(test=data.test))
