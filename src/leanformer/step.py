"""The Step protocol: an artifact in, an artifact out, with all it may read handed to it in a Context."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Protocol

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset


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


class Step(Protocol):
    """A technique applied: a frozen dataclass whose fields are its options.

    `consumes` and `produces` name artifact formats; `reads_data` says whether the result depends on the data
    (and so whether the cache key must cover it). One that learns from labels has a class variable `trains`, which is
    true. A technique that reads further artifacts of the recipe lists the
    options that name them in a class variable `names` (see `named_artifacts`), and one that reads files or folders of
    the user's lists the options that are their paths in `paths` (see `path_options`).
    """

    consumes: ClassVar[tuple[str, ...]]
    produces: ClassVar[str]
    reads_data: ClassVar[bool]

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        """Write the new artifact into the new folder `output` (by `files.new_folder`) and return it."""
        ...


def named_artifacts(step: Any) -> dict[str, str]:
    """Option -> name of the artifact that it stands for, beside the one that the step is given."""
    return {option: getattr(step, option) for option in getattr(step, "names", ())}


def path_options(step: Any) -> dict[str, str]:
    """Option -> path of a file or folder that the step reads; options that name none are left out."""
    given = {option: getattr(step, option) for option in getattr(step, "paths", ())}
    return {option: path for option, path in given.items() if path}


def options(step: Any) -> dict[str, Any]:
    """The options of a step as plain JSON values, all of them, defaults included."""
    return {one.name: _plain(getattr(step, one.name)) for one in fields(step)}


def defaults(step: Any) -> dict[str, Any]:
    """The defaults of a step's options as plain JSON values; an option that must be given has none."""
    usual: dict[str, Any] = {}
    for one in fields(step):
        if one.default is not MISSING:
            usual[one.name] = _plain(one.default)
        elif one.default_factory is not MISSING:
            usual[one.name] = _plain(one.default_factory())
    return usual


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return value


def record(name: str, step: Any, parent: Artifact | None) -> dict[str, Any]:
    """The history entry of a step that turned `parent` into something new."""
    return {"step": name, "options": options(step), "parent": None if parent is None else parent.content_hash}
