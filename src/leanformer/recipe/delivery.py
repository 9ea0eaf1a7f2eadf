"""The end of a compression: rungs of what a recipe made, figures kept for a resumed run, the chosen one delivered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from leanformer.artifact import Artifact, open_artifact
from leanformer.data.dataset import Dataset
from leanformer.errors import LeanformerError
from leanformer.files import write_json
from leanformer.kept import kept
from leanformer.ladder.choose import Choice
from leanformer.ladder.entries import Entry, baseline_entries, open_entry
from leanformer.machine import fingerprint
from leanformer.outputs.folders import copy_artifact, new_output
from leanformer.recipe.family import MadeFamily
from leanformer.recipe.run import Outcome
from leanformer.recipe.spec import Recipe
from leanformer.recipe.used import record_delivered
from leanformer.render.card import model_card
from leanformer.render.markdown import report_markdown
from leanformer.report import Report
from leanformer.step import Make


@dataclass(frozen=True)
class Compressed:
    """The result: the artifact, its report, and whether a compressed model within the bound was found."""

    artifact: Artifact
    report: Report
    within: bool


def read_measured(path: Path, threads: int, say: Callable[[str], None]) -> Report | None:
    """Figures measured earlier on this machine, so that a resumed run makes the same choice; otherwise None."""
    if kept(path, say, again="measured again") is None:
        return None
    try:
        report = Report.read(path)
    except LeanformerError:
        return None  # written by another version: measure again
    return report if report.machine == fingerprint(threads) else None


def entries_of(
    recipe: Recipe, outcome: Outcome, teacher: Artifact, threads: int, floor: Sequence[Entry]
) -> list[Entry]:
    """The rungs: the PyTorch baselines, the floor, then one per recipe step that has a rung and was not left out."""
    entries = baseline_entries(teacher, threads)
    first = len(entries)
    names = {step.name: step.rung for step in recipe.steps if step.rung is not None and step.name in outcome.artifacts}
    names["teacher"] = entries[-1].name
    exact = {step.technique for step in recipe.steps if isinstance(step.step, Make) and step.step.lossless}
    for step in recipe.steps:
        if step.rung is None or step.name not in outcome.artifacts:
            continue
        artifact = outcome.artifacts[step.name]
        after = names.get(step.after or "", entries[-1].name)
        made_by = {entry["step"] for entry in artifact.history[len(teacher.history) :]}
        lossless = artifact.properties.get("precision") == "fp32" and made_by <= exact
        entries.append(open_entry(step.rung, after, artifact, threads, lossless=lossless))
    return [*entries[:first], *floor, *entries[first:]]


def choice_json(choice: Choice, goal: str, max_drop: float) -> dict[str, Any]:
    return {
        "rung": choice.rung.name,
        "goal": goal,
        "max_drop": max_drop,
        "status": "chosen, not proven" if choice.within else "nothing within the bound",
        "reason": choice.reason,
        "sure": choice.sure,
        "rivals": [asdict(rival) for rival in choice.rivals],
    }


def deliver(
    chosen: Artifact, output: Path, report: Report, data: Dataset, say: Callable[[str], None],
    family: MadeFamily | None = None,
) -> Artifact:  # fmt: skip
    """Copy the chosen artifact to `output`, with report (JSON, Markdown), card and the rows of a dev made here.

    The members of a family come with it.
    """
    with new_output(output, say) as temporary:
        copy_artifact(chosen, temporary)
        record_delivered(temporary, data)
        report.write(temporary / "report.json")
        if family is not None:
            family.write(temporary, data)
        if data.dev_rows is not None:
            write_json(temporary / "dev_rows.json", {"taken_from": "train", "rows": list(data.dev_rows)})
        (temporary / "report.md").write_text(report_markdown(report), encoding="utf-8")
        (temporary / "README.md").write_text(
            model_card(open_artifact(chosen.path, verify=False), report), encoding="utf-8"
        )
    return open_artifact(output)
