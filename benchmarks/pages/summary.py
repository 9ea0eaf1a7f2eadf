"""README's first table: a few students, each with the two speedups that a reader may ask for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.ladders.floors import linear_floor
from benchmarks.pages.cell_tables import paragraph
from benchmarks.pages.leaked import in_train, quality
from benchmarks.pages.where import on_each
from leanformer.render.load import busy_mark
from leanformer.report import Report

# Report below results/ -> the task.
TASKS = {
    "sst2/thorough": "SST-2, film reviews",
    "trec/report": "TREC, questions",
    "banking77/report": "Banking77, 77 intents",
    "stsb/report": "STS-B, similarity of pairs",
    "afrisenti/hau/report": "AfriSenti, tweets in Hausa",
}


def summary(results: Path) -> str:
    """The last rung of each ladder, an int8 student, against its teacher in PyTorch."""
    reports = {task: Report.read(results / f"{name}.json") for name, task in TASKS.items()}
    machines = on_each({task.partition(",")[0]: report.machine for task, report in reports.items()})
    return "\n".join(
        [
            "| task (test texts) | quality, teacher to student (linear) | over batched PyTorch | over one text at a "
            "time | MB |",
            "|---|---|---|---|---|",
            *(
                _row(task, reports[task], linear_floor(results, path.rpartition("/")[0]))
                for path, task in TASKS.items()
            ),
            "",
            f"Throughput on {machines}, tokenizer included, medians of rounds,",
            "over that of the teacher in PyTorch: in batches of texts of similar length, and one text at a time, each",
            "padded to 128 tokens. Linear: a linear model on n-grams, trained on the same texts in seconds",
            "(`python -m benchmarks.ladders.floors`).",
            *_better_floors(
                {task: (reports[task], linear_floor(results, path.rpartition("/")[0])) for path, task in TASKS.items()}
            ),
            paragraph(
                in_train(results, {task.partition(",")[0]: path.rpartition("/")[0] for path, task in TASKS.items()})
            ),
        ]
    )


def _better_floors(tasks: Mapping[str, tuple[Report, float | None]]) -> list[str]:
    """A sentence on the tasks whose linear model scores higher than the student; none where there is no such task."""
    names = [
        task.partition(",")[0] for task, (report, floor) in tasks.items() if floor and floor > report.rungs[-1].quality
    ]
    return [f"**On {' and '.join(names)} the linear model scores higher than the student.**"] if names else []


def percent(value: float | None) -> str:
    """A quality in per cent, or that it was not measured."""
    return "-" if value is None else f"{100 * value:.1f}"


def _row(task: str, report: Report, floor: float | None) -> str:
    teacher, student, mark = report.rungs[0], report.rungs[-1], busy_mark(report)
    assert student.over_batched is not None
    return (
        f"| {task} ({teacher.n:,}) | {quality(teacher)} to {quality(student)} ({percent(floor)}) | "
        f"{_times(student.over_batched)}x{mark} | {_times(student.speedup)}x{mark} | "
        f"{teacher.bytes / 1e6:.0f} to {student.bytes / 1e6:.0f} |"
    )


def _times(value: float) -> str:
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}"
