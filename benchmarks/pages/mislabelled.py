"""How many label errors are found, and what it is good for: tables of docs/how-to/curate.md, put there by readme.py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import fill
from typing import Any

from leanformer.strict_json import read_json


def mislabelled(results: Path) -> str:
    """The tables; a sentence where nothing has been measured."""
    path = results / "data" / "label_errors.json"
    if not path.is_file():
        return "Not measured yet: `python -m benchmarks.data.label_errors`."
    result = read_json(path)
    sets: Mapping[str, Any] = result["sets"]
    planted = {name: row for name, row in sets.items() if "seeds" in next(iter(row["features"].values()))}
    known = {name: row for name, row in sets.items() if name not in planted}
    parts = [
        _wrapped(
            f"A tenth of the labels is replaced by another one; means of three seeds (`{result['command']}`). `AP` is "
            "the average precision of all rows, ranked by the probability of their label; `random` that of a random "
            "order, `no folds` that of the loss of one model trained on all rows. Precision and recall are those of "
            "the suspects. Errors that the sets already had lower every figure."
        ),
        _found(planted, "AP | random | no folds"),
        _wrapped(
            "Test accuracy in per cent of a linear model on n-grams, trained on the labels with errors, without the "
            "suspects, without as many rows drawn at random, with the suggested labels put in unread, and on the "
            "labels before. In brackets: 95 % interval, over test texts, of the difference from the labels with errors."
        ),
        _effect(planted),
    ]
    if known:
        parts += [
            _wrapped(
                "Errors that are known. Of `label_errors_20news`, people looked only at what the authors' own method "
                "doubted (93 of 700 texts), so errors found elsewhere count as false alarms. The news titles were "
                "labelled with a list of words, and again by people."
            ),
            _found(known, "AP | random"),
        ]
    return "\n\n".join(parts)


def _wrapped(text: str) -> str:
    return fill(text, 120, break_long_words=False, break_on_hyphens=False)


def _found(sets: Mapping[str, Any], head: str) -> str:
    lines = [f"| set | rows | labels | model on | {head} | suspects | precision | recall |"]
    lines.append("|---" * (lines[0].count("|") - 1) + "|")
    for name, row in sets.items():
        for kind, figures in row["features"].items():
            mean = figures.get("mean", figures)
            cells = [f"{mean['average_precision']:.2f}", f"{mean['base_rate']:.2f}"]
            cells += [f"{mean['in_sample']:.2f}"] if "no folds" in head else []
            lines.append(
                f"| {name} | {row['rows']:,} | {row['labels']} | {kind} | {' | '.join(cells)} | "
                f"{mean['suspects']:,.0f} | {mean['precision']:.2f} | {mean['recall']:.2f} |"
            )
    return "\n".join(lines)


def _effect(sets: Mapping[str, Any]) -> str:
    lines = [
        "| set | test | suspects by | with errors | dropped | dropped at random | replaced | before |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in sets.items():
        if "effect" not in row:
            continue
        systems = row["effect"]["systems"]
        for kind in row["features"]:
            cells = [_change(systems[key]) for key in (f"dropped ({kind})", f"dropped at random, as many as by {kind}",
                     f"relabelled ({kind})", "clean")]  # fmt: skip
            noisy = f"{100 * systems['noisy']['accuracy']:.1f}"
            lines.append(f"| {name} | {row['effect']['n']:,} | {kind} | {noisy} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _change(figures: Mapping[str, float]) -> str:
    low, high = 100 * figures["over_noisy_low"], 100 * figures["over_noisy_high"]
    return f"{100 * figures['accuracy']:.1f} ({low:+.1f} to {high:+.1f})"
