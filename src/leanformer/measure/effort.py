"""The cost of making a model: stored with the artifact, outside its content and its history.

Time, energy and place of a run do not affect what the model computes, so they must not change the hash that identifies
the model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from leanformer.artifact import is_artifact
from leanformer.kept import CHECK, damaged, keep, kept
from leanformer.measure.energy import EnergySettings, meter

EFFORT = "effort.json"


@dataclass
class Effort:
    """The cost of one step.

    Attributes:
        step: its name in the recipe. technique: its name in the catalogue.
        whole: whether it ran from beginning to end; False if it resumed a run that was killed.
        energy: `measure.energy.Energy` as JSON; None if it was not recorded.
    """

    step: str
    technique: str
    whole: bool = True
    energy: dict[str, Any] | None = None


@contextmanager
def recorded(effort: Effort, folder: Path, settings: EnergySettings | None) -> Iterator[None]:
    """Meter the block, which writes the artifact `folder`, and store the effort in that folder.

    Without settings only time is measured. The effort is set even if the block fails, because it was spent.
    """
    with_codecarbon, written = settings is not None, False
    country = None if settings is None else settings.country
    try:
        with meter("training", country=country, tracked=with_codecarbon) as block:
            yield
        written = is_artifact(folder)
    finally:
        effort.energy = None if block.energy is None else asdict(block.energy)
        if written:  # if the block failed, an older model may still be there
            keep(folder / EFFORT, asdict(effort))


def read_effort(folder: Path, step: str, technique: str, say: Callable[[str], None] = lambda line: None) -> Effort:
    """The effort stored with an artifact; one without energy if there is none, or none that can be read.

    `say` gets a warning if the record is damaged, because it cannot be recreated.
    """
    path = folder / EFFORT
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if CHECK in value:  # records of earlier versions lack it
            value = kept(path, say, again=_AGAIN)
            return (
                Effort(step, technique) if value is None else Effort(step, technique, value["whole"], value["energy"])
            )
        energy = value["energy"]
        if energy is not None:
            float(energy["wall_seconds"]), float(energy["cpu_seconds"])
        return Effort(step, technique, bool(value["whole"]), energy)
    except (OSError, ValueError, KeyError, TypeError):
        if path.exists():
            damaged(path, say, again=_AGAIN)
        return Effort(step, technique)


_AGAIN = "what the step took is not reported"
