"""README's first table: a few students, each with the two speedups that a reader may ask for."""

from __future__ import annotations

from pathlib import Path

from leanformer.report import Report, Rung

BATCHED = "batches by length"
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
    machine = next(iter(reports.values())).machine
    return "\n".join(
        [
            "| task (test texts) | quality, teacher to student | speedup, batched | speedup, unbatched | MB |",
            "|---|---|---|---|---|",
            *(_row(task, report) for task, report in reports.items()),
            "",
            f"Throughput on {machine['threads']} threads of {machine['cpu']}, tokenizer included.",
        ]
    )


def _row(task: str, report: Report) -> str:
    teacher, student = report.rungs[0], report.rungs[-1]
    batched = _named(report, BATCHED)
    return (
        f"| {task} ({teacher.n:,}) | {100 * teacher.quality:.1f} to {100 * student.quality:.1f} | "
        f"{student.throughput_per_second / batched.throughput_per_second:.0f}x | {student.speedup:.0f}x | "
        f"{teacher.bytes / 1e6:.0f} to {student.bytes / 1e6:.0f} |"
    )


def _named(report: Report, name: str) -> Rung:
    return next(rung for rung in report.rungs if rung.name == name)
