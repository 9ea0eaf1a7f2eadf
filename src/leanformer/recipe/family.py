"""The members of a family: the rungs of a recipe that no other beats in both dev quality and latency."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.errors import LeanformerError
from leanformer.files import write_json
from leanformer.formats import format_of
from leanformer.ladder.entries import Entry
from leanformer.metrics.pareto import pareto_front
from leanformer.outputs.folders import copy_artifact
from leanformer.predictor import token_counts
from leanformer.recipe.spec import Recipe
from leanformer.recipe.used import record_delivered
from leanformer.report import Report, Rung
from leanformer.runtime.settings import FOLDER
from leanformer.tune.family import FILE, MEMBERS, Family, FamilyMember
from leanformer.tune.time_model import TimeModel, time_model

_LENGTHS = 32


@dataclass(frozen=True)
class MadeFamily:
    """A family that is not yet in its folder: its artifacts, in the order of its members, and files of this machine."""

    family: Family
    artifacts: tuple[Artifact, ...]
    timings: tuple[Path, ...]

    def write(self, folder: Path, data: Dataset) -> None:
        """Write the family into the folder of the model that was chosen."""
        for member, artifact in zip(self.family.members, self.artifacts, strict=True):
            (folder / member.folder).mkdir(parents=True)
            copy_artifact(artifact, folder / member.folder)
            record_delivered(folder / member.folder, data)
        for path in self.timings:
            (folder / FOLDER).mkdir(exist_ok=True)
            shutil.copyfile(path, folder / FOLDER / path.name)
        write_json(folder / FILE, self.family.to_json())


def make_family(
    recipe: Recipe, report: Report, entries: Sequence[Entry], teacher: Artifact, data: Dataset, work: Path, *,
    threads: int, say: Callable[[str], None], allow_lost: bool = False,
) -> MadeFamily | None:  # fmt: skip
    """The family among the rungs of the recipe's steps, chosen on dev; None, with a note, if there are none for it.

    A rung that misses labels which the teacher finds is no member, unless `allow_lost`.

    Latencies are predicted by the model of time as well, if the members are of one precision for which it can be made.
    """
    own = {step.rung for step in recipe.steps}
    places = [
        place for place, rung in enumerate(report.rungs)
        if rung.name in own and rung.chooseable and rung.dev_quality is not None and (allow_lost or not rung.lost)
        and entries[place].artifact.properties.get("layers")
    ]  # fmt: skip
    whole = report.rungs[0].dev_quality
    if not places or whole is None or data.dev is None:
        say("note: no family is delivered: of the recipe's rungs none is a Transformer that may be chosen on dev")
        return None
    rungs, artifacts = [report.rungs[place] for place in places], [entries[place].artifact for place in places]
    quality = [float(rung.dev_quality or 0.0) for rung in rungs]
    front = pareto_front([rung.latency_ms_p50 for rung in rungs], quality)
    lengths = token_counts(entries[places[0]].predictor, data.dev.inputs)[0]
    tokens = tuple(int(value) for value in np.quantile(lengths, np.linspace(0, 1, _LENGTHS), method="nearest"))
    model, files = _model_of_time([artifacts[i] for i in front], teacher, work, threads, say)
    members = tuple(
        _member(number, rungs[i], artifacts[i], whole, model, int(np.median(lengths))) for number, i in enumerate(front)
    )
    dominated = tuple(
        {
            "name": rung.name, "quality": rung.dev_quality, "latency_ms": rung.latency_ms_p50,
            "by": next(
                rungs[j].name for j in front
                if quality[j] >= quality[i] and rungs[j].latency_ms_p50 <= rung.latency_ms_p50
            ),
        }
        for i, rung in enumerate(rungs) if i not in front
    )  # fmt: skip
    say(f"family: {len(members)} members on the front; {len(dominated)} models are dominated by others")
    family = Family(
        Path(), report.title, rungs[0].metric, len(data.dev), whole, tokens, members, dominated, report.machine
    )
    return MadeFamily(family, tuple(artifacts[i] for i in front), files)


def _member(
    number: int, rung: Rung, artifact: Artifact, whole: float, model: TimeModel | None, tokens: int
) -> FamilyMember:
    layers = tuple((int(heads), int(units)) for heads, units in artifact.properties["layers"])
    predicted = None
    if model is not None and artifact.properties.get("precision") == model.about["precision"]:
        predicted = rung.tokenizer_ms_p50 + model.predict(layers, tokens)
    return FamilyMember(
        rung.name, f"{MEMBERS}/{number}", artifact.content_hash, float(rung.dev_quality or 0.0),
        100 * (whole - float(rung.dev_quality or 0.0)), rung.parameters, rung.bytes, layers, rung.latency_ms_p50,
        rung.throughput_per_second, predicted,
    )  # fmt: skip


def _model_of_time(
    artifacts: Sequence[Artifact], teacher: Artifact, work: Path, threads: int, say: Callable[[str], None]
) -> tuple[TimeModel | None, tuple[Path, ...]]:
    """The model of time for the most frequent precision, and the file that keeps it; None if there can be none."""
    precision, _ = Counter(str(artifact.properties.get("precision")) for artifact in artifacts).most_common(1)[0]
    if not format_of(teacher).layers or not (precision == "fp32" or precision.startswith("int8 ")):
        return None, ()
    try:
        model = time_model(teacher, work, precision=precision, cores=threads, say=say)
    except LeanformerError as error:  # the family is worth delivering without
        say(f"note: latencies are not predicted: {error}")
        return None, ()
    return model, (model.path,)
