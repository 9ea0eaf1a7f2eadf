"""Put the measured figures into README.md and pages of docs/, between their markers, from benchmarks/results/.

With `--check` nothing is written; the exit status tells whether the pages say what the results say.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable

from benchmarks.ladders.floors import linear_floor
from benchmarks.pages.beside_others import compared, peaks, runtime, tokenizing
from benchmarks.pages.clients import clients
from benchmarks.pages.distilled import distilled
from benchmarks.pages.distilled_sizes import in_short
from benchmarks.pages.labelling import active, curves
from benchmarks.pages.leaked import HEAD, about, beside, cell, quality
from benchmarks.pages.maps import map_measures
from benchmarks.pages.mislabelled import mislabelled
from benchmarks.pages.outdated import mark
from benchmarks.pages.planted import planted_duplicates
from benchmarks.pages.reliability import reliability
from benchmarks.pages.searches import searched
from benchmarks.pages.selection import selection
from benchmarks.pages.served import served
from benchmarks.pages.sizes import early_exits, members
from benchmarks.pages.summary import percent, summary
from benchmarks.pages.trials import trials
from benchmarks.pages.where import on, on_each
from benchmarks.paths import RESULTS, ROOT
from leanformer.files import write_text
from leanformer.first_rungs import FLOOR
from leanformer.render.leaks import clean_mark
from leanformer.render.load import busy_mark
from leanformer.render.markdown import ladder_markdown
from leanformer.render.table import facts, number
from leanformer.report import Report


def ladder() -> str:
    report = Report.read(RESULTS / "sst2" / "thorough.json")
    assert report.choice is not None
    lines = [
        "SST-2 (`python -m benchmarks.ladders.run sst2 --recipe thorough --result thorough`): MiniLM-L6-H384,",
        "fine-tuned on 67,349 phrases, recipe `thorough`. `x` is throughput over the first rung, `over batched",
        "PyTorch` over the third, `x step` over the rung that it builds on; `lost` is points of test accuracy against",
        "the teacher.",
        "",
        ladder_markdown(report),
        "",
        f"- A linear model on n-grams has {percent(linear_floor(RESULTS, 'sst2'))} on the same test texts.",
        *[f"- {fact}" for fact in facts(report)],
        f"- {report.choice['status'].capitalize()}: {report.choice['reason']}.",
    ]
    return "\n".join(lines)


RECIPES = ("quick-pruned", "fastformers", "thorough")


def recipes() -> str:
    """Every rung after the three of PyTorch and the floor, of the recipes that prune."""
    rows: list[str] = []
    shown: Report | None = None
    times: list[str] = []
    machines = {}
    for name in RECIPES:
        if not (RESULTS / "sst2" / f"{name}.json").is_file():
            continue  # not measured yet
        report = shown = Report.read(RESULTS / "sst2" / f"{name}.json")
        machines[f"`{name}`"] = report.machine
        assert report.choice is not None
        rows += [
            f"| {name} | {rung.name}{' (chosen)' if rung.name == report.choice['rung'] else ''} | "
            f"{over(rung.over_batched)}{busy_mark(report)} | {rung.speedup:.1f} | {over(rung.speedup_over_unpadded)} | "
            f"{number(rung.latency_ms_p50)} | {100 * rung.quality:.2f}{clean_mark(rung)} "
            f"({100 * rung.quality_low:.1f} to {100 * rung.quality_high:.1f}) | {100 * (rung.dev_quality or 0):.2f} | "
            f"{number(rung.bytes / 1e6)} |"
            for rung in report.rungs[3:]
            if rung.name != FLOOR
        ]
        if (seconds := steps_seconds(report)) is not None:
            times.append(f"`{name}` {number(seconds)} s")
    if shown is None:
        return "No recipe that prunes has been measured yet."
    return "\n".join(
        [
            "SST-2, recipes that prune (`python -m benchmarks.ladders.run sst2 --recipe fastformers --result",
            f"fastformers` and so on; test n = {shown.rungs[0].n}{beside(RESULTS, 'sst2')};",
            f"dev n = {shown.data['rows']['dev']}; {on_each(machines)}):",
            "",
            "| recipe | rung | over batched PyTorch | x | x unpadded | p50 ms | test, 95 % interval | dev | MB |",
            "|---|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            f"CPU time of all steps after the fine-tuning of the teacher: {', '.join(times) or 'not stored'};",
            "measuring the rungs is not in it.",
        ]
    )


def steps_seconds(report: Report) -> float | None:
    """CPU seconds of all steps of a recipe after the fine-tuning of the teacher; None where one was not stored.

    Training what rungs are compared with is none of them.
    """
    steps = [
        step
        for step in report.training
        if step["step"] != FLOOR and (step["technique"] != "train.fine_tune" or step["step"] != "teacher")
    ]
    if not steps or any(step["energy"] is None for step in steps):
        return None
    return sum(step["energy"]["cpu_seconds"] for step in steps)


def students() -> str:
    result = json.loads((RESULTS / "sst2" / "students.json").read_text(encoding="utf-8"))
    gain = result["distilled_minus_labels_only"]
    rows = [
        f"| {rung['name']} | {100 * rung['dev_quality']:.2f} | {100 * rung['quality']:.2f} "
        f"({100 * rung['quality_low']:.1f} to {100 * rung['quality_high']:.1f}) |"
        for rung in result["rungs"][3:]
        if rung["name"] != FLOOR
    ]
    return "\n".join(
        [
            "What the teacher adds, and how small the student may be (`python -m benchmarks.ladders.students sst2`,",
            f"fp32; test n = {gain['n']}{beside(RESULTS, 'sst2')}; {on(result['machine'])}):",
            "",
            f"| student | dev | test, n = {gain['n']}, 95 % interval |",
            "|---|---|---|",
            *rows,
            "",
            f"Distilled against labels alone, from the same start: {100 * gain['difference']:+.2f} points "
            f"({100 * gain['low']:+.2f} to {100 * gain['high']:+.2f}, paired).",
        ]
    )


# Data sets beside SST-2 that have a ladder, and what is asked of their models.
SETS = {
    "trec": "questions, 6 kinds",
    "banking77": "requests to a bank, 77 kinds",
    "mrpc": "pairs, paraphrase or not",
    "stsb": "pairs, a score of likeness",
    "afrisenti/hau": "tweets in Hausa, 3 feelings",
}


def sets() -> str:
    """The last rung of each ladder, and what the recipe chose there."""
    ladders = {("sst2", "film reviews, 2 feelings"): RESULTS / "sst2" / "fastformers.json"} | {
        (name, what): RESULTS / name / "report.json" for name, what in SETS.items()
    }
    rows, machines = [], {}
    for (name, what), path in ladders.items():
        if not path.is_file():
            continue
        report = Report.read(path)
        machines[name] = report.machine
        first, last = report.rungs[0], report.rungs[-1]
        assert report.choice is not None
        lost = 100 * (first.quality - last.quality)
        rows.append(
            f"| {name} ({what}; {first.n}) | {cell(RESULTS, name)} | {first.metric} {quality(first)} | {quality(last)} "
            f"({lost:+.1f}) | {percent(linear_floor(RESULTS, name))} | "
            f"{over(last.over_batched)}{busy_mark(report)} | {last.speedup:.0f} | "
            f"{over(last.speedup_over_unpadded)} | "
            f"{first.latency_ms_p50 / last.latency_ms_p50:.0f} | {number(last.latency_ms_p50)} | "
            f"{number(last.bytes / 1e6)} | {_kept(report)} |"
        )
    return "\n".join(
        [
            "What the recipe `fastformers` (a student of 3 layers, a third of its heads and half of its units cut,",
            "distilled again, int8) made of a fine-tuned MiniLM-L6 (`python -m benchmarks.ladders.run NAME --recipe",
            "fastformers`): its last rung beside the teacher in PyTorch. `over batched PyTorch` is throughput over the",
            "teacher in batches of texts of similar length, `x` over one text at a time, each padded to 128 tokens,",
            "`x unpadded` over one text at a time; `x latency` is the median of one text at a time, `kept` the rung",
            "that is delivered unless more loss is allowed (1 point on dev), with what it loses on test. `linear` is",
            "the quality of a linear model on n-grams of the same texts (`python -m benchmarks.ladders.floors`);",
            "its longest n-grams were chosen on dev of three sets while their test scores were in view.",
            f"Measured on {on_each(machines)}.",
            about(RESULTS),
            "",
            f"| data (test texts) | {HEAD} | teacher | last rung (lost) | linear | over batched PyTorch | x | "
            "x unpadded | x latency | p50 ms | MB | kept |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    )


def _kept(report: Report) -> str:
    assert report.choice is not None
    (rung,) = (rung for rung in report.rungs if rung.name == report.choice["rung"])
    return f"{rung.name}: {over(rung.over_batched)}x, {100 * (report.rungs[0].quality - rung.quality):+.1f}"


def over(value: float | None) -> str:
    """A speedup, or that there is none to tell."""
    return "-" if value is None else f"{value:.1f}"


def importance() -> str:
    """What half of the teacher's FLOPs cost, by how they were chosen."""
    path = RESULTS / "sst2" / "pruning.json"
    if not path.is_file():
        return "Not measured yet."
    report = Report.read(path)
    return "\n".join(
        [
            "SST-2, half of the teacher's FLOPs cut, fp32 (`python -m benchmarks.ladders.run sst2 --recipe",
            "benchmarks/recipes/pruning.yaml --result pruning`; test n = "
            f"{report.rungs[0].n}{beside(RESULTS, 'sst2')}; dev n = "
            f"{report.data['rows']['dev']}; {on(report.machine)}):",
            "",
            "| which heads and units go | test, 95 % interval | dev | over batched PyTorch | x unpadded |",
            "|---|---|---|---|---|",
            *(
                f"| {'none' if rung.name == 'our ONNX graph' else rung.name} | {100 * rung.quality:.2f}"
                f"{clean_mark(rung)} ({100 * rung.quality_low:.1f} to {100 * rung.quality_high:.1f}) | "
                f"{100 * (rung.dev_quality or 0):.2f} | {over(rung.over_batched)}{busy_mark(report)} | "
                f"{over(rung.speedup_over_unpadded)} |"
                for rung in report.rungs[3:]
                if rung.name != FLOOR
            ),
        ]
    )


def base_size() -> str:
    report = Report.read(RESULTS / "base" / "report.json")
    rows = [
        f"| {rung.name} | {over(rung.over_batched)}{busy_mark(report)} | {rung.speedup:.1f} | "
        f"{number(rung.throughput_median)} | {number(rung.latency_ms_p50)} | "
        f"{100 * rung.quality:.2f}{clean_mark(rung)} ({100 * rung.quality_low:.1f} to {100 * rung.quality_high:.1f}) | "
        f"{100 * rung.drop:+.1f} ({100 * rung.drop_low:+.1f} to {100 * rung.drop_high:+.1f}) | "
        f"{100 * (rung.dev_quality or 0):.2f} | {number(rung.bytes / 1e6)} | {number(rung.usd_per_100m)} |"
        for rung in report.rungs
    ]
    return "\n".join(
        [
            "all-mpnet-base-v2 (109 million parameters) fine-tuned on SST-2, and students of three layers of MiniLM",
            "(`python -m benchmarks.ladders.run sst2 --encoder mpnet --recipe benchmarks/recipes/base.yaml`; one seed;",
            f"test n = {report.rungs[0].n}{beside(RESULTS, 'sst2')}; dev n = {report.data['rows']['dev']};",
            f"{on(report.machine)}):",
            "",
            "| rung | over batched PyTorch | x | texts/s | p50 ms | test, 95 % interval | lost, 95 % interval | dev "
            "| MB | USD/100M |",
            "|---|---|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    )


PAGES = {
    "README.md": {"summary": lambda: summary(RESULTS), "compared": lambda: compared(RESULTS)},
    "docs/figures.md": {
        "ladder": ladder,
        "sets": sets,
        "taggers": lambda: in_short(RESULTS),
        "recipes": recipes,
        "importance": importance,
        "students": students,
        "base size": base_size,
        "runtime": lambda: runtime(RESULTS),
        "peaks": lambda: peaks(RESULTS),
        "tokenizing": lambda: tokenizing(RESULTS),
        "search": lambda: searched(RESULTS),
        "reliability": lambda: reliability(RESULTS),
    },
    "docs/how-to/curate.md": {
        "duplicates": lambda: planted_duplicates(RESULTS),
        "label errors": lambda: mislabelled(RESULTS),
        "maps": lambda: map_measures(RESULTS),
        "selection": lambda: selection(RESULTS),
    },
    "docs/how-to/serve.md": {"clients": lambda: clients(RESULTS), "served": lambda: served(RESULTS)},
    "docs/how-to/training-options.md": {"trials": lambda: trials(RESULTS)},
    "docs/how-to/family.md": {"members": lambda: members(RESULTS)},
    "docs/how-to/exits.md": {"exits": lambda: early_exits(RESULTS)},
    "docs/xtremedistil.md": {"tables": lambda: distilled(RESULTS)},
    "docs/how-to/label.md": {"active": lambda: active(RESULTS), "curves": lambda: curves(RESULTS)},
}


def filled(text: str, parts: dict[str, Callable[[], str]]) -> str:
    for name, make in parts.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        if begin not in text or end not in text:
            sys.exit(f"a page has no place for {name}: {begin} ... {end}")
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}\n{make()}\n{end}{after}"
    return text


def marked(table: str, make: Callable[[], str]) -> Callable[[], str]:
    """A table and, below it, how old its figures are where that has to be said."""
    return lambda: "\n\n".join(filter(None, (make(), mark(RESULTS, table))))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 where a page is stale")
    check = parser.parse_args().check
    stale = 0
    for page, parts in PAGES.items():
        old = (ROOT / page).read_text(encoding="utf-8")
        new = filled(old, {table: marked(table, make) for table, make in parts.items()})
        if old != new:
            stale += 1
            remedy = "it differs from the results; remedy: python -m benchmarks.pages.readme"
            print(f"{page}: {remedy if check else 'written'}")
        if not check:
            write_text(ROOT / page, new)
    return int(check and stale > 0)


if __name__ == "__main__":
    sys.exit(main())
