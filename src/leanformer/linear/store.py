"""A folder with a linear model: weights and vocabularies as plain arrays, and a JSON file with hashes of all files.

It is kept in a work folder and is not an artifact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.artifact import Artifact
from leanformer.errors import LeanformerError
from leanformer.files import new_folder, remove_folder
from leanformer.kept import described, differing, keep, kept
from leanformer.linear.features import Features, Vocabulary
from leanformer.linear.predictor import LinearPredictor
from leanformer.task import Task

DESCRIPTION = "linear.json"
FORMAT = "linear"
_WEIGHTS = "weights"


def store_linear(predictor: LinearPredictor, folder: Path, facts: Mapping[str, Any]) -> None:
    """Write a model to the new folder `folder`, with additional `facts` as JSON."""
    arrays = {_WEIGHTS: predictor.weights}
    for kind in predictor.features.vocabularies:
        vocabulary = predictor.features.vocabularies[kind]
        arrays |= {f"{kind}.hashes": vocabulary.hashes, f"{kind}.idf": vocabulary.idf}
    with new_folder(folder) as place:
        for name, array in arrays.items():
            np.save(place / f"{name}.npy", array, allow_pickle=False)
        features = predictor.features
        keep(
            place / DESCRIPTION,
            {
                "task": predictor.task.to_json(), "kinds": list(features.vocabularies), "shown": list(features.shown),
                "pairs": features.pairs, "files": described(place), "facts": dict(facts),
            },
        )  # fmt: skip


def find_linear(folder: Path, say: Callable[[str], None]) -> dict[str, Any] | None:
    """The facts of the model in a folder; None if there is none, or a damaged one, which is removed."""
    if not folder.exists():
        return None
    description = kept(folder / DESCRIPTION, say, again="trained again")
    if description is not None:
        damaged = differing(folder, description["files"])
        if damaged is None:
            return dict(description["facts"])
        say(f"warning: {damaged}: damaged; trained again")
    remove_folder(folder)
    return None


def open_linear(folder: Path | str, threads: int = 1) -> LinearPredictor:
    """The model in a folder. It always runs on one thread; `threads` is ignored.

    Raises `LeanformerError` if there is none, or a damaged one.
    """
    description = _description(Path(folder))

    def array(name: str) -> np.ndarray:
        return np.asarray(np.load(Path(folder, f"{name}.npy"), allow_pickle=False))

    vocabularies = {
        kind: Vocabulary(array(f"{kind}.hashes"), array(f"{kind}.idf")) for kind in description["kinds"]
    }  # fmt: skip
    features = Features(vocabularies, bool(description["pairs"]), tuple(description["shown"]))
    return LinearPredictor(Task.from_json(description["task"]), features, array(_WEIGHTS))


def describe_linear(folder: Path) -> Artifact:
    """The model described as an artifact, for a rung: files with their hashes, task and number of parameters."""
    description = _description(folder)
    facts = description["facts"]
    weights = np.load(folder / f"{_WEIGHTS}.npy", allow_pickle=False, mmap_mode="r")
    return Artifact(
        path=folder, format=FORMAT, task=Task.from_json(description["task"]), max_tokens=0,
        files=description["files"], history=({"step": "linear", "options": facts.get("options", {}), "parent": None},),
        properties={"parameters": int(weights.size)},
    )  # fmt: skip


def _description(folder: Path) -> dict[str, Any]:
    said: list[str] = []
    description = kept(folder / DESCRIPTION, said.append, again="train it again")
    if description is None or differing(folder, description["files"]) is not None:
        raise LeanformerError(f"{folder}: no linear model, or a damaged one\n  remedy: train it again")
    return description
