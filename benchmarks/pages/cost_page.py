"""Fill docs/what-it-cost.md, between its markers, from benchmarks/results/{quality_cost,energy}.json.

With `--check` nothing is written; the exit status is 1 if the page differs from the results.
"""

from __future__ import annotations

import argparse
import json
import sys
from textwrap import fill
from typing import Any

from benchmarks.pages.outdated import mark
from benchmarks.paths import RESULTS, ROOT
from leanformer.files import write_text
from leanformer.first_rungs import present_name
from leanformer.metrics.noninferiority import noninferiority_p
from leanformer.render.markdown import table_markdown
from leanformer.render.table import number

PAGE = ROOT / "docs" / "what-it-cost.md"
QUALITY_HEADER = (
    "rung", "accuracy", "points lost, 95 % interval", "label loyalty", "probability loyalty", "calibration error",
    "after scaling", "worst class", "loss from typos",
)  # fmt: skip
ENERGY_HEADER = (
    "rung", "accuracy", "J/1,000", "source", "x less", "CPU-s/1,000", "x less", "USD/100M", "x less",
)  # fmt: skip
BOUND, CONFIDENCE = 0.01, 0.95


def quality() -> str:
    """One table and one paragraph for each ladder."""
    path = RESULTS / "quality_cost.json"
    ladders = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    parts = [f"### {name}\n\n{ladder_table(ladder)}\n\n{paragraph(ladder)}" for name, ladder in ladders.items()]
    return "\n\n".join(parts) or "Not measured yet: `python -m benchmarks.ladders.quality_cost sst2`."


def ladder_table(ladder: dict[str, Any]) -> str:
    rows = [
        (
            present_name(name),
            f"{100 * rung['quality']:.2f}",
            f"{100 * rung['drop']:+.2f} ({100 * rung['drop_low']:+.1f} to {100 * rung['drop_high']:+.1f})",
            f"{100 * rung['agreement']:.1f}",
            f"{100 * rung['probability_agreement']:.1f}",
            f"{100 * rung['loss']['calibration']['error']:.1f}",
            f"{100 * rung['loss']['calibration']['error_scaled']:.1f}",
            f"{rung['worst_class']}, {100 * rung['worst_class_recall']:.1f}",
            f"{100 * rung['robustness']['typos']['lost']:.1f}",
        )
        for name, rung in ladder["rungs"].items()
    ]
    return table_markdown(QUALITY_HEADER, rows)


def paragraph(ladder: dict[str, Any]) -> str:
    """A summary of what the last rung cost."""
    name, rung = list(ladder["rungs"].items())[-1]
    reference, loss, n = ladder["rungs"][ladder["reference"]], rung["loss"], ladder["n"]
    said = [
        f"On {n:,} test texts, '{name}' lost {100 * rung['drop']:.2f} points against "
        f"'{present_name(ladder['reference'])}' (95 % "
        f"interval {100 * rung['drop_low']:+.1f} to {100 * rung['drop_high']:+.1f}): {loss['changed']} predictions "
        f"changed, of which {loss['lost']} became wrong and {loss['gained']} became right.",
        f"{carried(loss['classes'], 'class')} {carried(loss['lengths'], 'length')}",
        f"Typing errors cost it {100 * rung['robustness']['typos']['lost']:.1f} points, compared with "
        f"{100 * reference['robustness']['typos']['lost']:.1f} for the reference.",
        f"Its calibration error is {100 * loss['calibration']['error']:.1f} points "
        f"({100 * loss['calibration']['error_scaled']:.1f} after scaling), that of the reference "
        f"{100 * reference['loss']['calibration']['error']:.1f} "
        f"({100 * reference['loss']['calibration']['error_scaled']:.1f}).",
        verdict(loss["lost"], loss["gained"], n),
    ]
    return fill(" ".join(said), 120)


def carried(groups: list[dict[str, Any]], kind: str) -> str:
    """The group that lost most, and whether the interval of its loss includes zero."""
    worst = max(groups, key=lambda group: group["loss"])
    span = f"{100 * worst['loss']:+.1f} points, {100 * worst['loss_low']:+.1f} to {100 * worst['loss_high']:+.1f}"
    of = "in tokens " if kind == "length" else ""
    tail = "" if worst["loss_low"] > 0 else "; the interval includes zero"
    return f"The {kind} {of}with the largest loss is '{worst['name']}' ({span}, n = {worst['n']}{tail})."


def verdict(lost: int, gained: int, n: int) -> str:
    """The verdict of `leanformer gate` on these counts at one point."""
    p = noninferiority_p(lost, gained, n, BOUND)
    ships = "ships" if p <= 1 - CONFIDENCE else "does not ship"
    return f"With a margin of one point and 95 % confidence, the gate {ships} it (p = {p:.3g})."


def energy() -> str:
    """The rungs compared with the published figures, and the differences."""
    path = RESULTS / "energy.json"
    if not path.is_file():
        return "Not measured yet: `python -m benchmarks.ladders.energy sst2`."
    result = json.loads(path.read_text(encoding="utf-8"))
    names = [rung["name"] for rung in result["rungs"]]
    rows = [
        (
            present_name(rung["name"]) + (f" ({rung['ladder']})" if names.count(rung["name"]) > 1 else ""),
            f"{100 * rung['accuracy']:.2f}",
            figure(rung["joules_per_1000"]),
            rung["status"],
            figure(rung["energy_times_less"]),
            figure(rung["cpu_seconds_per_1000"]),
            figure(rung["cpu_seconds_times_less"]),
            figure(rung["usd_per_100m"]),
            figure(rung["usd_times_less"]),
        )
        for rung in result["rungs"]
    ]
    published, machine = result["published"], result["machine"]
    low, high = published["energy_times_less"]
    before, after = published["usd_per_100m"]
    best = max(result["rungs"], key=lambda rung: rung["usd_times_less"])
    return "\n".join(
        [
            f"{result['dataset']}, {result['n']:,} test texts, {machine['cpu']}, {machine['threads']} of "
            f"{machine['cores']} cores; {result['price']['usd_per_hour']:.4g} USD per hour.",
            "",
            table_markdown(ENERGY_HEADER, rows),
            "",
            f"FastFormers reports {low} to {high} times less energy, and a cost per 100 million requests that falls "
            f"from {before:,} to {after} USD, {before / after:.0f} times less. Here the cheapest rung, "
            f"'{best['name']}' of `{best['ladder']}`, uses "
            f"{figure(best['energy_times_less'])} times less energy ({best['status']}), "
            f"{figure(best['cpu_seconds_times_less'])} times fewer CPU-seconds and "
            f"{figure(best['usd_times_less'])} times fewer USD than the first rung. The two are not directly "
            "comparable:",
            "",
            *[f"- {differ}" for differ in result["what_differs"]],
            *[f"- Method of the figures marked {status}: {how}." for status, how in methods(result["rungs"])],
        ]
    )


def methods(rungs: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return sorted({(rung["status"], rung["method"]) for rung in rungs})


def figure(value: float | None) -> str:
    return "-" if value is None else number(value)


def filled(text: str) -> str:
    for name, table in {"quality": quality(), "energy": energy()}.items():
        made = "\n\n".join(filter(None, (table, mark(RESULTS, name))))
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            sys.exit(f"error: {PAGE.name} has no markers {begin} ... {end}")
        text = f"{before}{begin}\n{made}\n{end}{after}"
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 where a page is stale")
    check = parser.parse_args().check
    old = PAGE.read_text(encoding="utf-8")
    new = filled(old)
    if check:
        if old != new:
            print(f"{PAGE.name}: it differs from the results; remedy: python -m benchmarks.pages.cost_page")
        return int(old != new)
    write_text(PAGE, new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
