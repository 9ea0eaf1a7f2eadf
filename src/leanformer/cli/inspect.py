"""`leanformer inspect`: what an artifact is, where it came from, and what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leanformer.errors import LeanformerError

if TYPE_CHECKING:
    from leanformer.artifact import Artifact


def inspect(
    artifact: Annotated[Path, typer.Argument(metavar="ARTIFACT", help="Folder of the artifact.")],
) -> None:
    """Describe ARTIFACT, and compare its files with their hashes."""
    from rich.console import Console

    from leanformer.artifact import open_artifact
    from leanformer.exits import has_exits
    from leanformer.formats import can, format_of
    from leanformer.render.terminal import print_report
    from leanformer.report import Report, showing

    opened = open_artifact(artifact)
    labels = ", ".join(opened.task.labels[:20]) + (
        f" and {len(opened.task.labels) - 20} more" if len(opened.task.labels) > 20 else ""
    )
    print(
        f"format      {opened.format}"
        + (f", {opened.properties['precision']}" if "precision" in opened.properties else "")
    )
    print(f"task        {opened.task.kind}" + (f": {labels}" if labels else ""))
    if opened.task.thresholds is not None:
        shown = zip(opened.task.labels[:20], opened.task.thresholds, strict=False)
        print("thresholds  " + ", ".join(f"{name} {threshold:.3f}" for name, threshold in shown))
    if opened.task.scale is not None:
        print(f"scale       {opened.task.scale[0]:.4g} + {opened.task.scale[1]:.4g} * output")
    if opened.task.transitions is not None:
        print("transitions learnt: tags are decoded as whole sequences (CRF)")
    overlap = opened.task.overlap
    windows = "" if overlap is None else f", longer texts in windows that overlap by {overlap}"
    whole = format_of(opened).whole_texts
    print(f"max tokens  {'whole texts are read' if whole else f'{opened.max_tokens}{windows}'}")
    if "parameters" in opened.properties:
        bare = opened.properties.get("parameters_without_embeddings")
        inner = "" if bare is None else f" ({bare:,} without embeddings)"
        print(f"parameters  {opened.properties['parameters']:,}{inner}")
    print(f"content     {opened.content_hash}")
    print(f"size        {opened.bytes:,} bytes, hashes checked")
    for name, entry in sorted(opened.files.items()):
        print(f"  {entry['bytes']:>12,}  {name}")
    print("history")
    for entry in opened.history:
        options = ", ".join(f"{k}={_shown(v)}" for k, v in entry.get("options", {}).items() if v is not None)
        print(f"  {entry['step']}  {options}")
        if "parity" in entry:
            parity = entry["parity"]
            print(
                f"    parity on {parity['n']} texts: largest logit difference {parity['max_difference']:.2g}, "
                f"{100 * parity['flips']:.2f} % of labels changed"
            )
        if "result" in entry:
            for name, scores in entry["result"].items():
                if name.startswith("dev_"):
                    print(f"    {name.replace('_', ' ')} by epoch: {', '.join(f'{v:.4f}' for v in scores)}")
    if format_of(opened).extra is None and not format_of(opened).members:
        print(f"engine      {_engine_of(opened)}")
    if can(opened, "light"):
        _show_tuning(opened)
    if format_of(opened).members:
        _show_cascade(opened)
    if has_exits(opened):
        _show_exits(opened)
    if (artifact / "report.json").is_file():
        with showing(artifact / "report.json"):
            print_report(Report.read(artifact / "report.json"), Console())


def _engine_of(artifact: Artifact) -> str:
    """What runs the model here, and why; it is opened to see whether it does."""
    from leanformer.loading import open_predictor

    try:
        told = str(open_predictor(artifact).engine_used)
    except LeanformerError as error:
        told = f"none runs it here: {error}"
    return told.replace("\n", "\n          ")


def _show_cascade(artifact: Artifact) -> None:
    """Its members, when their answers stand, and what was promised on which evidence."""
    from leanformer.cascade.store import read_cascade
    from leanformer.formats import format_of

    plan, members = read_cascade(artifact)
    print("members")
    for number, member in enumerate(members):
        precision = f", {member.properties['precision']}" if "precision" in member.properties else ""
        print(f"  {number}  {member.format}{precision}, {member.bytes:,} bytes, {member.content_hash}")
        if format_of(member).extra is None:
            print(f"     engine {_engine_of(member)}")
    print("cascade")
    _show_calibration(plan.to_json(), artifact)


def _show_exits(artifact: Artifact) -> None:
    """Where its early exits stand, from which confidence texts leave, and what was promised on which evidence."""
    from leanformer.exits import read_exits

    exits = read_exits(artifact)
    names = [*(f"exit behind layer {layer}" for layer in exits.layers), "last layer"]
    print("early exits")
    if not exits.calibrated:
        print(f"  {', '.join(names[:-1])}: not calibrated, so no text leaves (export.exits)")
        return
    plan = {"measure": "probability", "temperatures": exits.temperatures, "thresholds": exits.thresholds}
    _show_calibration(plan, artifact, names)


def _show_calibration(plan: Mapping[str, Any], artifact: Artifact, names: Sequence[str] | None = None) -> None:
    from leanformer.render.cascade import calibration_lines, without_promise

    last = artifact.history[-1] if artifact.history else {}
    try:
        lines = calibration_lines(plan, last.get("calibration"), without_promise(last), names)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # A history may be anybody's, and the model is what it is whatever it says.
        lines = [
            *calibration_lines(plan, None, names=names)[:-1],
            f"promise: its record cannot be read ({error!r})",
        ]
    for line in lines:
        print(f"  {line}")


def _show_tuning(artifact: Artifact) -> None:
    """What is stored for this machine, and for how many others."""
    from leanformer.render.tuning import tuning_lines
    from leanformer.runtime.cores import default_threads
    from leanformer.runtime.predictor import ENGINES
    from leanformer.runtime.settings import FOLDER, read_tuning, tuning_path

    cores = default_threads()
    found = read_tuning(artifact, cores, ENGINES)
    here = tuning_path(artifact, cores)
    others = sum(path != here for path in (artifact.path / FOLDER).glob("*.json"))
    elsewhere = f"; {others} other machines or numbers of cores have theirs" if others else ""
    if found is None:
        print(f"tuning      none for this machine, the default is used{elsewhere}")
        return
    print(f"tuning      {here.name}{elsewhere}")
    try:
        lines = tuning_lines(found.record)
    except ValueError as error:
        lines = [f"{found.settings.describe(found.record['goal'])}; how it was found cannot be read: {error}"]
    for line in lines:
        print(f"  {line}")


def _shown(value: Any) -> str:
    """An option's value; of a mapping (labels matched) the first 20 entries."""
    if not isinstance(value, dict):
        return str(value)
    shown = ", ".join(f"{name} is {matched}" for name, matched in list(value.items())[:20])
    return f"({shown}" + (f" and {len(value) - 20} more)" if len(value) > 20 else ")")
