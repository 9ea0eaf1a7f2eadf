"""Put the measured figures into README.md, between its markers, from benchmarks/results/.

With `--check` nothing is written; the exit status tells whether README says what the results say.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from leanformer.files import write_text
from leanformer.render.markdown import ladder_markdown
from leanformer.render.table import facts, number
from leanformer.report import Report

sys.path.insert(0, str(Path(__file__).resolve().parent))
from runtime_rows import table

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def ladder() -> str:
    report = Report.read(RESULTS / "sst2" / "report.json")
    assert report.choice is not None
    lines = [
        "SST-2 (`python benchmarks/ladder.py sst2`): MiniLM-L6-H384, fine-tuned on 67,349 phrases,",
        "recipe `distil`. `x` is throughput over the first rung, `x step` over the rung that it builds on, `lost` is",
        "points of test accuracy against the teacher.",
        "",
        ladder_markdown(report),
        "",
        *[f"- {fact}" for fact in facts(report)],
        f"- {report.choice['status'].capitalize()}: {report.choice['reason']}.",
    ]
    return "\n".join(lines)


RECIPES = ("quick-pruned", "fastformers", "thorough")


def recipes() -> str:
    """Every rung after the three of PyTorch, of the recipes that prune."""
    rows: list[str] = []
    shown: Report | None = None
    for name in RECIPES:
        if not (RESULTS / "sst2" / f"{name}.json").is_file():
            continue  # not measured yet
        report = shown = Report.read(RESULTS / "sst2" / f"{name}.json")
        assert report.choice is not None
        rows += [
            f"| {name} | {rung.name}{' (chosen)' if rung.name == report.choice['rung'] else ''} | {rung.speedup:.1f} | "
            f"{rung.speedup_over_unpadded or 0:.1f} | {number(rung.latency_ms_p50)} | {100 * rung.quality:.2f} "
            f"({100 * rung.quality_low:.1f} to {100 * rung.quality_high:.1f}) | {100 * (rung.dev_quality or 0):.2f} | "
            f"{number(rung.bytes / 1e6)} |"
            for rung in report.rungs[3:]
        ]
    if shown is None:
        return "No recipe that prunes has been measured yet."
    return "\n".join(
        [
            "SST-2, recipes that prune (`python benchmarks/ladder.py sst2 --recipe fastformers --result fastformers`",
            f"and so on; test n = {shown.rungs[0].n}, dev n = {shown.data['rows']['dev']}, the machine above):",
            "",
            "| recipe | rung | x | x unpadded | p50 ms | test, 95 % interval | dev | MB |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    )


def runtime() -> str:
    if not (RESULTS / "runtime.json").is_file():
        return "The runtime beside others has not been measured yet: `python benchmarks/runtime.py`."
    rows = json.loads((RESULTS / "runtime.json").read_text(encoding="utf-8"))
    details = json.loads((RESULTS / "runtime_details.json").read_text(encoding="utf-8"))
    machine = details["machine"]
    return "\n".join(
        [
            "The teacher in int8, in our runtime and as others run it (`python benchmarks/runtime.py` says what each",
            f"row is): texts per second on {machine['threads']} threads ({machine['cpu']}), tokenizer included, in",
            f"turn, medians of {details['rounds']} rounds. The ratio is given with its smallest and largest round.",
            "",
            *table(rows),
            "",
            "![Texts per second of each way to run the same model](benchmarks/results/runtime.svg)",
        ]
    )


def students() -> str:
    result = json.loads((RESULTS / "sst2" / "students.json").read_text(encoding="utf-8"))
    gain = result["distilled_minus_labels_only"]
    rows = [
        f"| {one['name']} | {100 * one['dev_quality']:.2f} | {100 * one['quality']:.2f} "
        f"({100 * one['quality_low']:.1f} to {100 * one['quality_high']:.1f}) |"
        for one in result["rungs"][3:]
    ]
    return "\n".join(
        [
            "What the teacher adds, and how small the student may be (`python benchmarks/students.py sst2`, fp32):",
            "",
            f"| student | dev | test, n = {gain['n']}, 95 % interval |",
            "|---|---|---|",
            *rows,
            "",
            f"Distilled against labels alone, from the same start: {100 * gain['difference']:+.2f} points "
            f"({100 * gain['low']:+.2f} to {100 * gain['high']:+.2f}, paired).",
        ]
    )


def peers() -> str:
    result = json.loads((RESULTS / "sst2" / "peers.json").read_text(encoding="utf-8"))
    rows = [
        f"| {name} | {100 * row['accuracy']:.2f} | {number(row['throughput_per_second'])} | "
        f"{number(row['latency_ms_p50'])} |"
        for name, row in result["rows"].items()
    ]
    n = next(iter(result["rows"].values()))["n"]
    return "\n".join(
        [
            f"Measured in one run, in turn, equal threads, tokenizer included, SST-2 test (n = {n})",
            "(`python benchmarks/peers/peers.py sst2`, which says what each row is; `ours` are steps of the ladder):",
            "",
            "| how the model is run | accuracy | texts/s | p50 ms, one text |",
            "|---|---|---|---|",
            *rows,
        ]
    )


def filled(text: str) -> str:
    made_of = {
        "ladder": ladder(), "recipes": recipes(), "students": students(), "runtime": runtime(), "peers": peers(),
    }  # fmt: skip
    for name, made in made_of.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}\n{made}\n{end}{after}"
    return text


def main() -> int:
    path = ROOT / "README.md"
    old = path.read_text(encoding="utf-8")
    new = filled(old)
    if "--check" in sys.argv:
        return int(old != new)
    write_text(path, new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
