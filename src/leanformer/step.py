"""The two kinds of step, artifact to artifact and data set to data set, and the Context with all they may read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.options import Options, options, options_of_type
from leanformer.shapes.planned import PlannedShape


@dataclass(frozen=True)
class Context:
    """What a step may read besides its input artifact.

    Attributes:
        data: the user's splits. A step must never read `data.test`.
        artifacts: artifacts made or given earlier, by name; always includes `teacher`.
        work: a folder for this step alone; kept if a run is killed, so that it can resume.
        cache: a folder shared by all steps of all runs in this work folder (teacher outputs).
        seed: seed of everything random.
        device: "cpu", "cuda" or "auto".
        threads: cores that may be used.
        say: called with one line of progress at a time.
    """

    data: Dataset
    artifacts: Mapping[str, Artifact]
    work: Path
    cache: Path
    seed: int = 13
    device: str = "auto"
    threads: int = 1
    say: Callable[[str], None] = field(default=lambda line: None)


class Step(Options, ABC):
    """A technique applied: a frozen dataclass whose fields are its options; either a `Make` or a `Curate`.

    Class attributes declare what recipe, search and tests must know about a technique:

    Attributes:
        technique: its name in the catalogue.
        version: incremented whenever the technique would write other bytes for the same inputs, so that older results
            are not reused. A changed default is such a change, because cache keys leave out defaults.
        trains: whether it learns from labels.

    An option that names another artifact of the recipe has the type `ArtifactName`, and one that names a file or folder
    of the user has the type `FilePath`: the recipe checks the first, and cache keys cover the content of both.
    """

    version: ClassVar[int] = 1
    trains: ClassVar[bool] = False


class Make(Step):
    """A step from an artifact to an artifact.

    Attributes:
        consumes, produces: formats of artifacts.
        reads_data: whether the result depends on the data, so that the cache key must cover them.
        lossless: whether the result computes the same as the input artifact.
        makes_teacher: whether a recipe may begin with it, under the name "teacher": it then trains the recipe's encoder
            (`teacher_of`).
    """

    consumes: ClassVar[tuple[str, ...]]
    produces: ClassVar[str]
    reads_data: ClassVar[bool] = True
    lossless: ClassVar[bool] = False
    makes_teacher: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        """Write the new artifact into the new folder `output` (through `files.new_folder`) and return it."""

    def planned(self, shape: PlannedShape) -> PlannedShape | None:
        """The shape of the result, given that of the input artifact; None if it cannot be predicted."""
        return None

    def without_graph(self, before: str | None) -> str | None:
        """Which part of the result has no graph nodes, in words, given the same for the input artifact.

        None if every part has them, or if that cannot be predicted.
        """
        return before if before and self.produces in self.consumes and not path_options(self) else None


class Curate(Step):
    """A step from a data set to a data set. It changes only train and unlabelled texts: dev remains the same for all.

    It may read the context's artifacts that its options name.
    """

    @abstractmethod
    def __call__(self, data: Dataset, context: Context) -> Dataset:
        """The new data set; notes on what was done are added to those of `data`."""


def named_artifacts(step: Any) -> dict[str, str]:
    """Option -> name of the artifact that it refers to, in addition to the step's input."""
    return {option: getattr(step, option) for option in options_of_type(step, "ArtifactName")}


def path_options(step: Any) -> dict[str, str]:
    """Option -> path of a file or folder that the step reads; unset options are left out."""
    return {option: path for option in options_of_type(step, "FilePath") if (path := getattr(step, option))}


def in_effect(step: Step) -> dict[str, Any]:
    """`options`, with the learning rate that is used, which may be an adapter's."""
    return options(step) | ({"learning_rate": rate} if (rate := getattr(step, "peak_rate", None)) is not None else {})


def record(step: Make, parent: Artifact | None) -> dict[str, Any]:
    """The history entry of a step that made something new from `parent`."""
    above = None if parent is None else parent.content_hash
    return {"step": step.technique, "options": in_effect(step), "parent": above}
