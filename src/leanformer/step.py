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
    """All that a step may read beside the artifact it is given.

    Attributes:
        data: the user's splits. A step must never read `data.test`.
        artifacts: artifacts made or handed in earlier, by name; `teacher` is always there.
        work: a folder that belongs to this step alone; kept when a run is killed, so that it can be taken up.
        cache: a folder that all steps of all runs in this work folder share (teacher outputs).
        seed: seed of everything random.
        device: "cpu", "cuda" or "auto".
        threads: cores that may be used.
        say: receives one line of progress at a time.
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

    What recipe, search and tests must know of a technique its class says:

    Attributes:
        technique: its name in the catalogue.
        version: raised whenever the technique would write other bytes for the same inputs, so that older results are
            not taken for new ones. Another default of an option is such a change, since cache keys leave defaults out.
        trains: whether it learns from labels.

    An option that names a further artifact of the recipe has the type `ArtifactName`, and one that names a file or
    folder of the user's the type `FilePath`: the recipe checks the first, and cache keys cover what both stand for.
    """

    version: ClassVar[int] = 1
    trains: ClassVar[bool] = False


class Make(Step):
    """A step from an artifact to an artifact.

    Attributes:
        consumes, produces: formats of artifacts.
        reads_data: whether the result depends on the data, and so whether the cache key must cover it.
        lossless: whether the result computes what the artifact that it was given computes.
        makes_teacher: whether a recipe may begin with it, called "teacher": it then trains the encoder that the recipe
            is given (`teacher_of`).
    """

    consumes: ClassVar[tuple[str, ...]]
    produces: ClassVar[str]
    reads_data: ClassVar[bool] = True
    lossless: ClassVar[bool] = False
    makes_teacher: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        """Write the new artifact into the new folder `output` (by `files.new_folder`) and return it."""

    def planned(self, shape: PlannedShape) -> PlannedShape | None:
        """The shape of the result, from that of the artifact given; None where it cannot be foreseen."""
        return None

    def without_graph(self, before: str | None) -> str | None:
        """What of the result has no nodes of a graph, in words, from the same of the artifact given.

        None: nothing has none, or that cannot be foreseen.
        """
        return before if before and self.produces in self.consumes and not path_options(self) else None


class Curate(Step):
    """A step from a data set to a data set. It changes train and unlabelled texts alone: dev goes on judging all alike.

    Of the context it may read the artifacts that its options name.
    """

    @abstractmethod
    def __call__(self, data: Dataset, context: Context) -> Dataset:
        """The new data set, with notes on what was done added to those of `data`."""


def named_artifacts(step: Any) -> dict[str, str]:
    """Option -> name of the artifact that it stands for, beside the one that the step is given."""
    return {option: getattr(step, option) for option in options_of_type(step, "ArtifactName")}


def path_options(step: Any) -> dict[str, str]:
    """Option -> path of a file or folder that the step reads; options that name none are left out."""
    return {option: path for option in options_of_type(step, "FilePath") if (path := getattr(step, option))}


def record(step: Make, parent: Artifact | None) -> dict[str, Any]:
    """The history entry of a step that turned `parent` into something new."""
    return {"step": step.technique, "options": options(step), "parent": None if parent is None else parent.content_hash}
