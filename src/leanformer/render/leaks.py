"""Leaks between test and train in words, and the scores on clean test, on which no model was trained."""

from __future__ import annotations

from typing import Any

from leanformer.data.leaks import NEAR_LETTERS, NEARLY
from leanformer.render.block import ReportBlock
from leanformer.report import Report, Rung

LEAK_HEADER = ("rung", "all test texts", "clean", "lost there", "lost, 95 %", "without near repeats too")
_UNKNOWN = "-"


def clean_mark(rung: Rung, digits: int = 2) -> str:
    """A suffix for quality on all of test with that on clean test, if that has fewer texts; otherwise nothing."""
    if rung.n_clean in (None, rung.n):
        return ""
    return f" (clean {_percent(rung.quality_clean, digits)})"


def clean_words(rung: Rung) -> str:
    """The same in the words of a card."""
    if rung.n_clean in (None, rung.n):
        return ""
    return f", {_percent(rung.quality_clean)} on the {rung.n_clean} of them that are not among the training texts"


def leak_facts(report: Report) -> list[str]:
    """Number of texts of test, and of dev, on which a model may have been trained."""
    found = report.data.get("leaks")
    if found is None:
        return _earlier(report)
    return [f"{test_words(found.get('test'), report.rungs[0])}{_dev_words(found.get('dev'))}"]


def test_words(leaks: dict[str, Any] | None, rung: Rung) -> str:
    """One or two sentences."""
    if leaks is None:
        return "Whether test texts are in the training data is not known: there was neither train nor unlabelled text."
    where = _where(leaks["compared"])
    n, exact, near = leaks["n"], leaks["exact"], leaks["near"]
    if near is None:
        nearly = f"; near repeats were not looked for in more than {NEAR_LETTERS:,} characters"
    elif near > exact:
        nearly = f"; {near:,} of {n:,} nearly equal a text there or are the same ({NEARLY})"
    else:
        nearly = f", and none {'else ' if exact else ''}nearly equals a text there ({NEARLY})"
    if not exact:
        return f"No test text is in {where}{nearly}."
    return (
        f'{exact:,} of {n:,} test texts {_are(exact)} also in {where}{nearly}. "Clean" is the figure on the other '
        f"{rung.n_clean if rung.n_clean is not None else n - exact:,}."
    )


def leak_blocks(report: Report) -> list[ReportBlock]:
    """Each rung's quality on all of test and on its clean parts, if these are smaller."""
    first = report.rungs[0]
    if first.n_clean in (None, first.n) and first.n_distinct in (None, first.n):
        return []
    notes = [f"Clean: the {first.n_clean:,} of {first.n:,} test texts that are not among the training texts."]
    if first.n_distinct is not None:
        notes.append(f"Without near repeats too ({NEARLY}): {first.n_distinct:,} test texts.")
    return [
        ReportBlock(
            "Test texts that are among the training texts", LEAK_HEADER, [_row(rung) for rung in report.rungs], notes
        )
    ]


def _row(rung: Rung) -> tuple[str, ...]:
    lost = (rung.drop_clean, rung.drop_clean_low, rung.drop_clean_high)
    known = all(value is not None for value in lost)
    drop, low, high = (100 * (value or 0) for value in lost)
    return (
        rung.name,
        _percent(rung.quality),
        _percent(rung.quality_clean),
        f"{drop:+.2f}" if known else _UNKNOWN,
        f"{low:+.1f} to {high:+.1f}" if known else _UNKNOWN,
        _percent(rung.quality_distinct),
    )


def _earlier(report: Report) -> list[str]:
    """What is known from a report that is older than clean scores."""
    overlap = report.data.get("overlap", {})
    if "test_in_train" not in overlap:
        return []
    n, exact = report.rungs[0].n, overlap["test_in_train"]
    if not exact:
        return ["No test text is in train."]
    return [f"{exact:,} of {n:,} test texts {_are(exact)} also in train; this report has no score without them."]


def _dev_words(leaks: dict[str, Any] | None) -> str:
    if leaks is None or not leaks["exact"]:
        return ""
    return f" Of dev, {leaks['exact']:,} of {leaks['n']:,} texts {_are(leaks['exact'])} in {_where(leaks['compared'])}."


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _where(compared: list[str]) -> str:
    names = {"dev": "dev, which was taken out of it", "unlabelled": "the unlabelled texts"}
    # Dev comes after train, from which it was taken.
    order = [name for name in ("train", "dev", "unlabelled") if name in compared]
    return " or ".join(names.get(name, name) for name in order)


def _percent(value: float | None, digits: int = 2) -> str:
    return _UNKNOWN if value is None else f"{100 * value:.{digits}f}"
