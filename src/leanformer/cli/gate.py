"""`leanformer gate`: is this model shown to lose no more than is allowed?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from leanformer.cli.arguments import (
    DataOption,
    LostClassesOption,
    SeedOption,
    SplitOption,
    ThreadsOption,
    WeakTeacherOption,
    command_line,
    open_data,
    pairs,
    say,
)
from leanformer.cli.judged import answers_of, groups_of
from leanformer.errors import DataError, LeanformerError

NOT_SHOWN = 4


def gate(
    artifact: Annotated[Path, typer.Argument(metavar="ARTIFACT", help="Folder of the model to ship.")],
    against: Annotated[
        str, typer.Option(metavar="TEACHER", help="The reference: an artifact, or a Hugging Face folder.")
    ],
    data: DataOption,
    on: Annotated[str, typer.Option(help="Split to judge on; nothing may have been chosen with it.")] = "test",
    max_drop: Annotated[
        float,
        typer.Option(help="Largest loss of the task's metric (accuracy, F1, Spearman correlation), in points."),
    ] = 1.0,
    confidence: Annotated[
        float, typer.Option(help="Probability with which a worse model is rejected, at least.")
    ] = 0.95,
    max_flips: Annotated[float | None, typer.Option(help="Largest share of changed answers, in per cent.")] = None,
    max_recall_drop: Annotated[
        float | None,
        typer.Option(metavar="POINTS", help="Also bound the recall that each class, label or type of entity may lose."),
    ] = None,
    figures: Annotated[
        list[str] | None,
        typer.Option(
            "--bound",
            metavar="FIGURE=BOUND",
            help="Also bound another figure: macro-F1, F1 of LABEL (points), mean absolute error (unit of the scores).",
        ),
    ] = None,
    slices: Annotated[
        list[str] | None,
        typer.Option(
            "--slice",
            metavar="NAME[=POINTS]",
            help="Also bound every group of a column, or of length, class or language; POINTS: another bound for it.",
        ),
    ] = None,
    document: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column with the document of each row; rows of one are not independent."),
    ] = None,
    split: SplitOption = None,
    max_used: Annotated[
        float,
        typer.Option(
            metavar="PERCENT",
            help="Largest share of texts that the model was made or chosen with; these are left out of the test.",
        ),
    ] = 1.0,
    used: Annotated[
        bool, typer.Option("--used", help="Judge on all texts, also those that the model was made or chosen with.")
    ] = False,
    forecast_only: Annotated[
        bool, typer.Option("--forecast", help="Only report what this many texts can show; run no model.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(help="Also write the verdict as JSON, a certificate for `leanformer serve --require-gate`."),
    ] = None,
    allow_weak_teacher: WeakTeacherOption = False,
    allow_lost_classes: LostClassesOption = False,
    seed: SeedOption = 13,
    threads: ThreadsOption = None,
) -> None:
    """Test whether ARTIFACT loses at most --max-drop points against TEACHER, and so may ship.

    An embedder is judged by the correlation of its cosines with the scores of pairs of texts.

    Exit status 0: shown, it may ship. 4: not shown; the output says which bound failed and how many more texts would
    decide it.
    """
    from leanformer.artifact import is_artifact, open_artifact
    from leanformer.cli.vectors import check_pairs
    from leanformer.cosines import OfPairs, of_pairs
    from leanformer.measure.bounds import Bounds
    from leanformer.measure.certificate import certified
    from leanformer.measure.data_reuse import earlier_use
    from leanformer.measure.lost import lost_labels
    from leanformer.measure.ship_gate import forecast, judge
    from leanformer.outputs.written import check_file, is_verdict
    from leanformer.recipe.teacher import weak_notes

    if output is not None:
        check_file(output, "a verdict of `leanformer gate`", is_verdict)
    if not 0 <= max_used <= 100:
        raise LeanformerError(f"--max-used {max_used:g}: a share lies between 0 and 100 per cent")
    bounds = Bounds(
        max_drop, confidence, max_flips, _slice_bounds(slices, max_drop), max_recall_drop, _figure_bounds(figures)
    )
    lean = open_artifact(artifact)
    if lean.task.width is not None:
        check_pairs(data)
        lean = of_pairs(lean)
    dataset = open_data(data, split, seed, task=lean.task, single="test")
    examples = getattr(dataset, on, None) if on in ("train", "dev", "test") else None
    if examples is None or not examples.is_labelled:
        raise DataError(f"there is no labelled split {on!r} to judge on", path=data, remedy="--on dev, or another file")
    # An embedder learns from single texts, and is judged on pairs of them.
    others = [open_artifact(against)] if is_artifact(against) else []
    use = earlier_use(lean, dataset, on, *others, apart=isinstance(lean, OfPairs))
    if not used:
        _check_fresh(use, data, max_used)
    warnings = [*use.warnings, *([use.forbids] if use.forbids else []), *_left_out(use, all_rows=used)]
    warnings += [note for note in dataset.notes if " are also in " in note and f" {on} texts" in note]
    given, rows = examples, range(len(examples)) if used else use.fresh
    examples = given.select(rows)
    wanted = [*bounds.slices, *([document] if document else [])]
    groups = {name: tuple(values[row] for row in rows) for name, values in groups_of(lean, given, wanted).items()}
    documents = groups[document] if document else None
    if documents is not None and (blank := documents.count("")):
        raise DataError(
            f"{blank} rows to judge on have nothing in the column {document!r}, and would count as one document",
            path=data, remedy="fill the column in, each independent row with a value of its own",
        )  # fmt: skip
    outlook = forecast(examples.targets, lean.task, bounds, groups, documents)
    for line in [*(f"warning: {warning}" for warning in warnings), *([] if use.used else [str(use)]), *outlook]:
        say(line)
    if forecast_only:
        return
    predicted, reference, content = answers_of(lean, against, examples, threads)
    for note in weak_notes(reference, examples.targets, lean.task, against, on, allowed=allow_weak_teacher):
        say(f"warning: {note}")
        warnings.append(note)
    lost = lost_labels(predicted, reference, examples.targets, lean.task)
    for label in lost:
        say(f"warning: it loses {label}")
        warnings.append(f"it loses {label}")
    verdict = judge(predicted, reference, examples.targets, lean.task, bounds, groups, documents)
    ships = verdict.ships and (allow_lost_classes or not lost)
    value: dict[str, Any] = {
        "artifact": {"path": str(artifact), "content_hash": lean.content_hash},
        "against": against,
        "reference": {"content_hash": content},
        "data": {"name": dataset.name, "split": on, "content_hash": given.content_hash, "n": len(examples)},
        "reuse": use.to_json() | {"judged": len(examples), "max_used_percent": max_used, "all_rows": used},
        "warnings": warnings,
        "forecast": outlook,
        **verdict.to_json(),
        "ships": ships,
    }
    value = certified(value, command_line())
    if output is not None:
        from leanformer.files import write_json

        write_json(output, value)
    if as_json:
        print(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        from leanformer.render.verdict import verdict_lines

        print("\n".join(verdict_lines(verdict, () if allow_lost_classes else lost)))
    if lost and not allow_lost_classes:
        say("HOLD: a class that the teacher finds is lost (--allow-lost-classes ships it if the bounds hold)")
    if not ships:
        raise typer.Exit(NOT_SHOWN)


def _check_fresh(use: Any, data: Any, max_used: float) -> None:
    """Raise `LeanformerError` where too much of the data was used before, or nothing else is left of it."""
    if use.unreadable:
        raise LeanformerError(f"{use.unreadable}; --used judges without it, and proves nothing")
    why = use.forbids
    if not why and use.share > max_used:
        why = f"{use}, more than {max_used:g} per cent, so that others are likely to be edited copies"
    elif not why and not use.fresh:
        why = str(use)
    if not why:
        return
    others = f"--max-used 100 judges on the other {len(use.fresh):,}; " if use.fresh and not use.forbids else ""
    raise LeanformerError(
        f"{data}: {why}: a model looks better on such texts than it is, so nothing would be proven\n"
        f"  remedy: give labelled texts that no model was made or chosen with; {others}--used judges on all, "
        "and proves nothing"
    )


def _left_out(use: Any, *, all_rows: bool) -> list[str]:
    """Which texts are left out of the test, in sentences; or, where all are in it, what speaks against that."""
    repeats = len(use.repeats)
    copies = f"{repeats:,} of {use.n:,} texts repeat an earlier one" if repeats else ""
    if all_rows:
        return [said for said in (str(use) if use.used else "", copies) if said]
    return [
        f"{said}; {left} left out of the test"
        for said, count in ((str(use) if use.used else "", len(use.used)), (copies, repeats))
        if said
        for left in ["it is" if count == 1 else "they are"]
    ]


def _slice_bounds(values: Sequence[str] | None, max_drop: float) -> dict[str, float]:
    """NAME or NAME=POINTS as a mapping."""
    bounds: dict[str, float] = {}
    for value in values or ():
        name, separator, points = value.partition("=")
        try:
            bounds[name] = float(points) if separator else max_drop
        except ValueError:
            raise LeanformerError(f"--slice {value}: the bound is a number of points, as in --slice length=3") from None
        if not name:
            raise LeanformerError(f"--slice {value}: name a column, or length or class")
    return bounds


def _figure_bounds(values: Sequence[str] | None) -> dict[str, float]:
    """FIGURE=BOUND as a mapping."""
    bounds: dict[str, float] = {}
    for name, bound in pairs(values, "--bound").items():
        try:
            bounds[name] = float(bound)
        except ValueError:
            raise LeanformerError(f"--bound {name}={bound}: the bound is a number, as in --bound macro-F1=2") from None
    return bounds
