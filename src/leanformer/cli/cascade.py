"""`leanformer cascade`: a small model first, larger ones for what it is unsure of, within a promised loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from leanformer.cli.arguments import (
    DataOption,
    OverwriteOption,
    SeedOption,
    SplitOption,
    ThreadsOption,
    TuningOption,
    WeakTeacherOption,
    open_data,
    output_folder,
    say,
)
from leanformer.errors import DataError, LeanformerError

NOT_SHOWN = 4
_SPLITS = ("dev", "test", "unlabelled")


def cascade(
    models: Annotated[
        list[Path], typer.Argument(metavar="SMALL LARGE [LARGER]...", help="Folders of artifacts, smallest first.")
    ],
    data: DataOption,
    output: Annotated[Path | None, typer.Option(help="New folder for the cascade.")] = None,
    max_loss: Annotated[float, typer.Option(help="Largest loss of accuracy against the last model, in points.")] = 0.5,
    confidence: Annotated[float, typer.Option(help="Confidence of that bound.")] = 0.95,
    promise: Annotated[
        str,
        typer.Option(help="accuracy; or agreement, a bound on the per cent of changed answers, which needs no labels."),
    ] = "accuracy",
    measure: Annotated[
        str, typer.Option(help="Confidence score of an answer: probability, margin, entropy, or auto.")
    ] = "probability",
    on: Annotated[str, typer.Option(help="Split to calibrate on; a file is taken for it.")] = "dev",
    fit_share: Annotated[
        float,
        typer.Option(
            help="Share of the rows used to fit temperatures and order thresholds; the rest calibrates the bound."
        ),
    ] = 0.2,
    otherwise: Annotated[
        str, typer.Option(help="If the bound cannot be shown: refuse, or large (send every text to the last model).")
    ] = "refuse",
    forecast: Annotated[bool, typer.Option("--forecast", help="Only report what this many rows can show.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the calibration as JSON.")] = False,
    split: SplitOption = None,
    allow_weak_teacher: WeakTeacherOption = False,
    seed: SeedOption = 13,
    threads: ThreadsOption = None,
    tuning: TuningOption = True,
    overwrite: OverwriteOption = False,
) -> None:
    """Run SMALL first, and larger models only on texts it is unsure of; the loss is bounded on held-out texts.

    The bound is a promise only on rows that no model was made or chosen with: give a file of them as --data. Where
    others are among them, they are left out; where these are more than 1 %, no promise is made, and that is said.

    Exit status 4: the bound cannot be shown with these rows; nothing was written.
    """
    from leanformer.answers.forms import decide
    from leanformer.artifact import open_artifact
    from leanformer.cascade.calibrate import calibrate, everything_to_the_last, parted
    from leanformer.cascade.confidence import MEASURES
    from leanformer.cascade.promise import Promise
    from leanformer.cascade.store import check_members, write_cascade
    from leanformer.data.used_texts import MOST_USED
    from leanformer.measure.data_reuse import earlier_use
    from leanformer.outputs.folders import new_output
    from leanformer.outputs.place import check_apart
    from leanformer.recipe.teacher import weak_notes

    promised = Promise(max_loss, confidence, promise)
    if measure not in (*MEASURES, "auto"):
        raise LeanformerError(f"--measure {measure}: one of {', '.join(MEASURES)}, auto")
    if otherwise not in ("refuse", "large"):
        raise LeanformerError(f"--otherwise {otherwise}: one of refuse, large")
    if output is None and not forecast:
        raise LeanformerError("nowhere to write\n  remedy: --output FOLDER, or --forecast to write nothing")
    place = None if output is None else output_folder(output, overwrite=overwrite)
    members = [open_artifact(path) for path in models]
    check_members(members)
    if place is not None and place.exists() and any(place.samefile(member.path) for member in members):
        raise LeanformerError(f"{place}: is one of the models; it will not be overwritten\n  remedy: another --output")
    if place is not None:
        check_apart(place, [member.path for member in members])
    dataset = open_data(data, split, seed, task=members[-1].task, single=_single(on))
    examples = _rows(dataset, data, on, promised.of)
    use = earlier_use(members[0], dataset, on, *members[1:])
    no_promise = use.forbids or (str(use) if use.share > MOST_USED else None)
    if no_promise is None:
        examples = examples.select(use.fresh)
    fit, held_out = parted(len(examples), fit_share, seed)
    say(f"{promised.outlook(len(held_out))} ({len(fit):,} more rows fix temperatures and the walk)")
    for line in _warnings(use, no_promise, dataset, on):
        say(f"warning: {line}")
    if forecast:
        return
    say(f"scoring {len(examples):,} texts with {len(members)} models")
    values = _scores(members, examples, threads, tuning)
    labels = examples.targets if examples.is_labelled else None
    if labels is not None:
        task = members[-1].task
        answers = decide(values[-1], task)
        for line in weak_notes(answers, labels, task, str(members[-1].path), on, allowed=allow_weak_teacher):
            say(f"warning: {line}")
    found = calibrate(values, labels, promised, fit, held_out, measure=measure)
    plan = found.plan
    if plan is None:
        say(_refusal(found))
        if otherwise == "refuse":
            raise typer.Exit(NOT_SHOWN)
        plan = everything_to_the_last(measure, len(members))
    entry: dict[str, Any] = {"data": _described(dataset, examples, on), "seed": seed, "calibration": found.to_json()}
    entry |= {} if no_promise is None else {"no_promise": no_promise[:1000]}
    assert place is not None
    with new_output(place, say) as temporary:
        write_cascade(members, plan, temporary, entry=entry, calibrated=examples)
    artifact = open_artifact(place)
    if as_json:
        print(json.dumps(entry | {"content_hash": artifact.content_hash}, indent=2, ensure_ascii=False))
        return
    from leanformer.render.cascade import calibration_lines

    print(f"{place}: cascade of {len(members)} models, {artifact.bytes / 1e6:.1f} MB")
    for line in calibration_lines(plan.to_json(), found.to_json(), no_promise):
        print(f"  {line}")


def _single(on: str) -> str:
    """The split that a single file is taken for; one without labels is unlabelled."""
    return on if on in ("dev", "test") else "train"


def _rows(dataset: Any, source: str, on: str, of: str) -> Any:
    if on == "train":
        raise LeanformerError(
            "--on train: models are surer of what they were trained on, so nothing would be shown\n"
            f"  remedy: one of {', '.join(_SPLITS)}"
        )
    examples = getattr(dataset, on, None) if on in _SPLITS else None
    if examples is None or not (examples.is_labelled or of == "agreement"):
        raise DataError(
            f"there is no {'labelled ' * (of == 'accuracy')}split {on!r} to calibrate on", path=source,
            remedy=f"--on {' or '.join(_SPLITS)}, or another file"
            + ("; --promise agreement needs no labels" * (of == "accuracy")),
        )  # fmt: skip
    return examples


def _warnings(use: Any, no_promise: str | None, dataset: Any, on: str) -> list[str]:
    """What is known against the rows: the models may have been made or chosen with them."""
    lines = [note for note in dataset.notes if f"{on} texts are also in train" in note]
    if no_promise is not None:
        remedy = "give a file of labelled rows that no model was made or chosen with as --data"
        if use.unreadable:  # which no other rows would help
            remedy = use.unreadable.partition("remedy: ")[2]
        lines.append(f"no promise: {no_promise}; the models may be better on them than on new texts ({remedy})")
    elif use.used:
        lines.append(f"{use}; they are left out of the calibration")
    if use.repeats and no_promise is None:
        lines.append(
            f"{len(use.repeats):,} of {use.n:,} rows repeat an earlier one and are left out of the calibration"
        )
    return [*lines, *use.warnings]


def _scores(members: Any, examples: Any, threads: int | None, tuning: bool) -> list[Any]:
    from leanformer.loading import open_predictor
    from leanformer.predictor import logits

    return [logits(open_predictor(member, threads=threads, tuning=tuning), examples.inputs) for member in members]


def _described(dataset: Any, examples: Any, on: str) -> dict[str, Any]:
    """In the form by which `leanformer gate` knows texts again that a model was made with."""
    from leanformer.measure.data_reuse import texts_hash

    return {"name": dataset.name, "splits": {on: texts_hash(examples.inputs)}, "rows": {on: len(examples)}}


def _refusal(found: Any) -> str:
    promise, counts = found.promise, found.counts
    if promise.bearable(found.rows) is None:
        why = f"{found.rows:,} calibration rows cannot show it; {promise.fewest_rows:,} are the fewest that can"
        how = "give more rows, or promise less: a larger --max-loss, a lower --confidence"
    else:
        why = (
            f"even the strictest threshold loses {counts.lost} and gains {counts.gained} of {counts.n:,} rows "
            f"({counts.changed} changed), p = {found.p:.3f}"
        )
        how = "a better small model, more rows, or a larger --max-loss"
    return (
        f"the promise cannot be made: {why}\n  remedy: {how}; with --otherwise large everything goes to the last model"
    )
