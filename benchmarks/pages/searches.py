"""What searches came to, for docs/figures.md; see readme.py."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import fill
from typing import Any

from benchmarks.pages.leaked import beside
from leanformer.first_rungs import BATCHED, present_name
from leanformer.render.table import number

SETS = ("sst2", "banking77")


def searched(results: Path) -> str:
    """A table and a few sentences for each search that is there, then the cascade and the runs on a cluster."""
    folder, parts = results / "search", []
    for name in SETS:
        if (path := folder / f"{name}.json").is_file():
            parts += [*_search(name, beside(results, name), json.loads(path.read_text(encoding="utf-8"))), ""]
    for name, say in (("cascade-sst2", _cascade), ("on_ray", _on_ray)):
        if (path := folder / f"{name}.json").is_file():
            parts += [_item(item) for item in say(json.loads(path.read_text(encoding="utf-8")))]
    return "\n".join(parts)


def _item(sentence: str) -> str:
    return fill(f"- {sentence}", 120, subsequent_indent="  ")


def _search(name: str, leaked: str, result: dict[str, Any]) -> list[str]:
    machine, rows = result["machine"], result["on_test"]
    intro = (
        f"{name} (`python -m benchmarks.searches.run {name}`): chosen from {result['search']['chosen_from']}; trials "
        f"train on {result['training_texts']:,} texts. The front was chosen on dev and read once on test{leaked}, "
        "beside the fixed recipes, whose own ladders have read it before; "
        f"{machine['threads']} threads of {machine['cpu']}."
    )
    return [
        fill(intro, 120),
        "",
        "| model | dev | test, 95 % interval | lost | p50 ms | texts/s | MB |",
        "|---|---|---|---|---|---|---|",
        *[
            f"| {row['name']} | {100 * row['dev_quality']:.2f} | {100 * row['quality']:.2f} "
            f"({100 * row['quality_low']:.1f} to {100 * row['quality_high']:.1f}) | {100 * row['drop']:.2f} | "
            f"{number(row['latency_ms_p50'])} | {row['throughput_per_second']:,.0f} | "
            f"{number(row['bytes'] / 1e6)} |"
            for row in rows
        ],
        "",
        *[_item(item) for item in (_halving(result["halving"]), *_predictor(result["search"]))],
    ]


def _halving(found: dict[str, Any]) -> str:
    fronts, area = found["fronts"], found["hypervolume"]
    share = "" if area is None or area["share"] is None else f", {100 * area['share']:.1f} % of its hypervolume"
    shares = ", ".join(f"{100 * share:.0f} %" for share in found["shares"])
    return (
        f"Halving (shares {shares} of the {found['over']}) replayed on the {found['trials']} finished trials: "
        f"{100 * found['compute_share']:.0f} % of the CPU-seconds, {found['of_whole_found_by_halving']} of the "
        f"{len(fronts['whole'])} models of the front on dev{share}."
    )


def _predictor(search: dict[str, Any]) -> list[str]:
    found = search.get("predictor")
    if found is None:
        return []
    errors = [
        f"{name} {error['mape']:.0f} % off on average of {error['trials']} trials "
        f"(Kendall's tau {error['kendall_tau']:.2f})"
        for name, error in found["ahead_of_trials"].items()
    ]
    return [
        f"The latency predictor, before a trial ran: {'; '.join(errors)}. It skipped {found['skipped']} hopeless "
        f"trials, some {(found['seconds_saved'] or 0) / 60:.0f} minutes of work."
    ]


def _cascade(result: dict[str, Any]) -> list[str]:
    calibration, outcome, target = result["calibration"], result["outcome"], result["target"]
    promise = calibration["promise"]
    times = {present_name(name): value for name, value in target["times_teacher_throughput"].items()}
    return [
        f"A cascade on {result['data']}, calibrated on {calibration['rows']} dev texts for at most "
        f"{promise['max_loss']:g} {'point' if promise['max_loss'] == 1 else 'points'} lost at "
        f"{100 * promise['confidence']:.0f} % confidence: on test (n = "
        f"{outcome['counts']['n']:,}) {-outcome['lost_points']:+.2f} points, {outcome['answered'][0]:,} texts answered "
        f"by the small model; {100 * target['share_of_teacher_accuracy']:.1f} % of the teacher's accuracy at "
        f"{times[BATCHED]:.1f} times its throughput ({BATCHED}; `benchmarks/ladders/cascade.py`)."
    ]


def _on_ray(result: dict[str, Any]) -> list[str]:
    scoring, search = result["scoring"], result["search"]
    return [
        f"{scoring['texts']:,} texts scored on a local Ray of {result['workers']} workers, {scoring['killed']} of them "
        f"killed on the way: {scoring['answers']:,} answers, {scoring['lost']} lost, {scoring['twice']} twice, "
        f"{scoring['unlike_one_process']} unlike those of one process; {'in' if scoring['in_order'] else 'OUT OF'} "
        "order (`benchmarks/searches/on_ray.py`).",
        f"A search of {search['trials']} trials there, a worker killed on the way: {search['lost']} trials lost, "
        f"{search['twice']} twice, {search['unlike_one_process']} models unlike those of a search in one process.",
    ]
