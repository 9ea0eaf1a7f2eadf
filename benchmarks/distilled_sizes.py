"""The table of sizes of docs/xtremedistil.md, and which of them keeps what is asked."""

from __future__ import annotations

from cell_tables import Cell, commands, each_fit, paragraph, table, where

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
    timed = {name: speed["settings"][name] for name in ("strategy", "transfer", "epochs", "seed")}
    mine = [cell for cell in cells if timed.items() <= cell["settings"].items()]
    head = [
        "student", "parameters", "graph", "MB", "dev F1", "test F1", "of the teacher's", "x batches of 32",
        "x all at once", "x one",
    ]  # fmt: skip
    rows = []
    for cell in sorted(mine, key=lambda one: one["parameters"]):
        size = f"{cell['settings']['embedding']}x{cell['settings']['units']}"
        for kind in KINDS:
            if graph := speed["graphs"].get(f"{size} {kind}"):
                rows.append(
                    [
                        size, f"{cell['parameters'] / 1e6:.2f} M", kind, f"{graph['bytes'] / 1e6:.1f}",
                        *(f"{graph[split]['mean_f1']:.1f}" for split in ("dev", "test")),
                        f"{100 * graph['share']['test']:.1f} %", *(f"{graph[f'times_{way}']:.1f}" for way in WAYS),
                    ]
                )  # fmt: skip
    teacher, first = speed["teacher"], mine[0]["settings"]
    about = (
        f"Sizes (embedding x units), strategy {first['strategy']}, {first['transfer']:,} sentences, "
        f"{each_fit(mine[0])}: F1 on dev and test (n = {mine[0]['test']['n']:,}) and speed of their graphs beside the "
        f"teacher ({teacher['parameters'] / 1e6:.1f} M parameters, F1 {teacher['dev']['mean_f1']:.1f} and "
        f"{teacher['test']['mean_f1']:.1f}) in transformers, fp32, tokenizer included; all at once means batches by "
        f"length, and is set beside the teacher's batches of 32. {speed['rates']['texts']:,} sentences, "
        f"{speed['settings']['rounds']} interleaved rounds, {where(speed)}: {commands([speed])}."
    )
    return f"{paragraph(about)}\n\n{table(head, rows)}"


def _kept(speeds: list[Cell]) -> str:
    """The fastest that keeps nearly all of the teacher's F1 on dev, and the smallest that keeps most of it."""
    every = [(name, graph, speed["settings"]) for speed in speeds for name, graph in speed["graphs"].items()]
    near = [one for one in every if one[1]["share"]["dev"] >= SHARE]
    most = [one for one in every if one[1]["share"]["dev"] >= SMALL]
    if near:
        best = max(near, key=lambda one: one[1]["times_all_at_once"])
        about = f"The fastest with {SHARE:.0%} of the teacher's F1 on dev is {_told(best)}"
    else:
        best = max(every, key=lambda one: one[1]["share"]["dev"])
        about = f"No graph keeps {SHARE:.0%} of the teacher's F1 on dev; the nearest is {_told(best)}"
    about += f"; {TIMES} times with {SHARE:.0%} was the aim."
    if most:
        small = min(most, key=lambda one: (one[1]["share_of_parameters"], one[1]["bytes"]))
        about += (
            f" The smallest with {SMALL:.0%} is {_told(small)}: {100 * small[1]['share_of_parameters']:.1f} % of the "
            "teacher's parameters."
        )
    else:
        about += f" None keeps {SMALL:.0%}."
    return about


def _told(one: tuple[str, Cell, Cell]) -> str:
    name, graph, settings = one
    share = graph["share"]
    return (
        f"{name} ({settings['strategy']}, {settings['transfer']:,} sentences): {100 * share['dev']:.1f} % on dev and "
        f"{100 * share['test']:.1f} % on test at {graph['times_all_at_once']:.1f} times its throughput "
        f"({graph['times_batches_of_32']:.1f} in the same batches of 32)"
    )
