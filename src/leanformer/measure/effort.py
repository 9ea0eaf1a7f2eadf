"""What making a model took: kept beside the artifact, outside its content and its history.

Time, energy and place of a run say nothing of what the model computes, so they must not change the hash by which the
model is known again.
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
    """What one step took.

    Attributes:
        step: its name in the recipe. technique: its name in the catalogue.
        whole: whether it ran from its beginning to its end; False where it took up what a killed run had left.
        energy: `measure.energy.Energy` as JSON; None where it was not recorded.
    """

    step: str
    technique: str
    whole: bool = True
    energy: dict[str, Any] | None = None


@contextmanager
def recorded(effort: Effort, folder: Path, settings: EnergySettings | None) -> Iterator[None]:
    """Meter the block, which writes the artifact `folder`, and leave the effort beside what it wrote.

    Without settings only time is taken. The effort is filled also where the block fails: it was spent.
    """
    with_codecarbon, written = settings is not None, False
    country = None if settings is None else settings.country
    try:
        with meter("training", country=country, tracked=with_codecarbon) as block:
            yield
        written = is_artifact(folder)
    finally:
        effort.energy = None if block.energy is None else asdict(block.energy)
        if written:  # not beside an older model that stays, the block having failed
            keep(folder / EFFORT, asdict(effort))


def read_effort(folder: Path, step: str, technique: str, say: Callable[[str], None] = lambda line: None) -> Effort:
    """What is recorded beside an artifact; an effort without energy where nothing, or nothing readable, is.

    `say` is told where it was recorded and is damaged: it cannot be made again.
    """
    path = folder / EFFORT
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if CHECK in value:  # not in those of earlier versions
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
