"""The table of sizes of docs/xtremedistil.md, and which of them keeps what is asked."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean, median

from benchmarks.pages.cell_tables import (
    Cell,
    commands,
    each_fit,
    its_own,
    leaked,
    paragraph,
    seeds_in_words,
    table,
    where,
)

KINDS = ("fp32", "int8")
WAYS = ("batches_of_32", "all_at_once", "one")
# The paper: its student of 50x200 kept 94.1 % of the teacher's F1 at 51 times its throughput.
SHARE, TIMES, SMALL = 0.95, 51, 0.90


def sizes(result: Cell) -> str:
    """A table for each run that timed students, and which of all of them keep what is asked."""
    tables = [_timed(result["cells"], speed) for speed in result["speeds"]]
    return "\n\n".join([*tables, paragraph(_kept(result["speeds"]))])


def _timed(cells: list[Cell], speed: Cell) -> str:
    """The students that one run timed."""
    how = {name: value for name, value in speed["settings"].items() if name in cells[0]["settings"]}
    mine = [cell for cell in cells if how.items() <= cell["settings"].items()]
    head = [
        "student", "parameters", "graph", "MB", "dev F1", "test F1", "of the teacher's", "lost on test",
        "x batches of 32", "x all at once", "x one",
    ]  # fmt: skip
    rows = []
    parameters = {f"{cell['settings']['embedding']}x{cell['settings']['units']}": cell["parameters"] for cell in mine}
    for size in sorted(parameters, key=lambda size: parameters[size]):
        for kind in KINDS:
            if graph := speed["graphs"].get(f"{size} {kind}"):
                rows.append(
                    [
                        size, f"{parameters[size] / 1e6:.2f} M", kind, f"{graph['bytes'] / 1e6:.1f}",
                        *(f"{graph[split]['mean_f1']:.1f}" for split in ("dev", "test")),
                        f"{100 * graph['share']['test']:.1f} %", _lost(graph),
                        *(f"{graph[f'times_{way}']:.1f}" for way in WAYS),
                    ]
                )  # fmt: skip
    teacher, first = speed["teacher"], mine[0]["settings"]
    seeds = speed["settings"].get("seeds", [speed["settings"]["seed"]])
    about = (
        f"Sizes (embedding x units), strategy {first['strategy']}{its_own(first)}, {first['transfer']:,} sentences, "
        f"{each_fit(mine[0])}: F1 on dev and test (n = {mine[0]['test']['n']:,}; {seeds_in_words(seeds)}) "
        f"and speed of their graphs beside the "
        f"teacher ({teacher['parameters'] / 1e6:.1f} M parameters, F1 {teacher['dev']['mean_f1']:.1f} and "
        f"{teacher['test']['mean_f1']:.1f}) in transformers, fp32, tokenizer included; all at once means batches by "
        f"length, and is set beside the teacher's batches of 32. {speed['rates']['texts']:,} sentences, "
        f"{speed['settings']['rounds']} interleaved rounds, int8 by the engine {_engines(speed)}, {where([speed])}: "
        f"{commands([speed])}."
    )
    return f"{paragraph(about)}\n\n{table(head, rows)}"


def _lost(graph: Cell) -> str:
    """Points of F1 that a graph loses on test, and from the lowest to the highest end of its seeds' intervals."""
    if "each" not in graph:
        return ""
    each = graph["each"]["test"].values()
    low, high = min(scored["low"] for scored in each), max(scored["high"] for scored in each)
    return f"{fmean(scored['lost'] for scored in each):.1f} ({low:.1f} to {high:.1f})"


def _engines(speed: Cell) -> str:
    return ", ".join(sorted({engine for name, engine in speed["settings"]["engines"].items() if name.endswith("int8")}))


Timed = tuple[str, Cell, Cell]  # a graph's name, what was measured of it, and the run


def _every(speeds: list[Cell]) -> list[Timed]:
    return [(name, graph, speed) for speed in speeds for name, graph in speed["graphs"].items()]


def _fastest(speeds: list[Cell]) -> Timed | None:
    """That keeps nearly all of the teacher's F1 on dev."""
    near = [timed for timed in _every(speeds) if timed[1]["share"]["dev"] >= SHARE]
    return max(near, key=lambda timed: timed[1]["times_all_at_once"], default=None)


def _kept(speeds: list[Cell]) -> str:
    """The fastest that keeps nearly all of the teacher's F1 on dev, and the smallest that keeps most of it."""
    best = _fastest(speeds)
    if best is not None:
        about = f"The fastest with {SHARE:.0%} of the teacher's F1 on dev is {_told(best)}"
    else:
        nearest = max(_every(speeds), key=lambda timed: timed[1]["share"]["dev"])
        about = f"No graph keeps {SHARE:.0%} of the teacher's F1 on dev; the nearest is {_told(nearest)}"
    about += f"; {TIMES} times with {SHARE:.0%} was the aim."
    most = [timed for timed in _every(speeds) if timed[1]["share"]["dev"] >= SMALL]
    if most:
        small = min(most, key=lambda timed: (timed[1]["share_of_parameters"], timed[1]["bytes"]))
        about += (
            f" The smallest with {SMALL:.0%} is {_told(small)}: {100 * small[1]['share_of_parameters']:.1f} % of the "
            "teacher's parameters."
        )
    else:
        about += f" None keeps {SMALL:.0%}."
    return about


def in_short(results: Path) -> str:
    """README's sentence about taggers: the fastest that keeps nearly all; nothing where none does."""
    path = results / "xtremedistil" / "sizes.json"
    if not path.is_file():
        return ""
    result = json.loads(path.read_text(encoding="utf-8"))
    best = _fastest(result["speeds"])
    if best is None:
        return ""
    if leaked(result["cells"]):
        return paragraph(
            "Names in many languages: a recurrent student is tens of times faster than the Transformer that it is "
            "distilled from. How much of its quality it keeps was measured on a test set with sentences from train, "
            "and not yet again without them ([all tables](xtremedistil.md))."
        )
    name, graph, speed = best
    size, precision = name.split(" ")
    settings, rates = speed["settings"], speed["rates"]
    ms = median(rates["one"][name]["ms"])
    seeds = settings.get("seeds", [settings["seed"]])
    lost = f"; points lost: {points}" if (points := _lost(graph)) else ""
    languages, teacher, test = result["cells"][0]["settings"]["languages"], speed["teacher"], graph["test"]
    about = (
        f"Names in {len(languages)} languages: a recurrent student ({size}, {precision}, "
        f"{graph['bytes'] / 1e6:.1f} MB, "
        f"{100 * graph['share_of_parameters']:.1f} % of the teacher's parameters), distilled by strategy "
        f"{settings['strategy']}{_with(settings)} from {settings['transfer']:,} {_labelled(settings)}sentences "
        f"of WikiANN that its MiniLM-L6 teacher was not trained on, keeps {100 * graph['share']['test']:.1f} % of the "
        f"teacher's mean entity F1 "
        f"({test['mean_f1']:.1f} of {teacher['test']['mean_f1']:.1f} on test, n = {test['n']:,}, "
        f"{seeds_in_words(seeds)}{lost}) at "
        f"{graph['times_all_at_once']:.0f} times its throughput in transformers (padded batches of 32; "
        f"{graph['times_batches_of_32']:.0f} times in the same batches) and {graph['times_one']:.0f} times as fast for "
        f"one sentence ({ms:.2f} ms), tokenizer included ({commands([speed])}, {where([speed])}; "
        "[all tables](xtremedistil.md))."
    )
    return paragraph(about)


def _labelled(settings: Cell) -> str:
    return "labelled " if settings["labels"] == "transfer" else ""


def _with(settings: Cell) -> str:
    """As part of a sentence."""
    return its_own(settings).replace(", ", " with ", 1)


def _told(one: Timed) -> str:
    name, graph, speed = one
    settings, share = speed["settings"], graph["share"]
    return (
        f"{name} ({settings['strategy']}{its_own(settings)}, {settings['transfer']:,} sentences): "
        f"{100 * share['dev']:.1f} % on dev and "
        f"{100 * share['test']:.1f} % on test at {graph['times_all_at_once']:.1f} times its throughput "
        f"({graph['times_batches_of_32']:.1f} in the same batches of 32)"
    )
