"""A table of measured milliseconds per number of heads and units, as a file, and how it is measured.

Time is no part of a model, so it is measured apart (benchmarks/latency_table.py), written down with the machine it
was measured on, and read by pruning. What runs the model is handed in as a function: this room knows no engine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.compress.costs import CostTable
from leanformer.errors import RecipeError
from leanformer.models.config import EncoderConfig, LayerShape

Curve = list[list[float]]


def measure_latency_table(
    config: EncoderConfig,
    milliseconds: Callable[[EncoderConfig], float],
    *,
    points: int = 8,
    facts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Time models of one and two layers of `config`'s width, and take apart what heads and units add.

    Args:
        config: width, head size and the most heads and units are those of this model and its first layer.
        milliseconds: the time that a model of a shape takes, for the batch that counts.
        points: numbers of heads and of units to measure, evenly spread.
        facts: kept in the table as they are, such as the machine and the tokens of the batch.

    The last layer has curves of its own, since a graph may compute it for one token alone.
    """
    most = config.layers[0]
    least = LayerShape(1, max(1, most.ffn // points))

    def time(*layers: LayerShape) -> float:
        return milliseconds(replace(config, layers=layers))

    one, two = time(least), time(least, least)
    table: dict[str, Any] = {"hidden": config.hidden, "head_size": config.head_size, **(facts or {})}
    table |= {"fixed_ms": one, "layer_ms": max(0.0, two - one), "inner": {}, "last": {}}
    for part in ("heads", "ffn"):
        start, end = getattr(least, part), getattr(most, part)
        counts = sorted({round(start + (end - start) * i / (points - 1)) for i in range(points)})
        for place, base in (("inner", two), ("last", one)):
            curve: Curve = [[start, 0.0]]
            for count in counts[1:]:
                layer = replace(least, **{part: count})
                taken = time(layer, least) if place == "inner" else time(layer)
                # More work is never faster; where it was, that was noise.
                curve.append([count, max(curve[-1][1], taken - base)])
            table[place][part] = curve
    return table


def read_latency_table(path: Path, config: EncoderConfig) -> CostTable:
    """The table as costs of shapes that `config` can be narrowed to, interpolated between what was measured.

    Raises `RecipeError` for a file that is no such table, or is of models of another width.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        measured = (int(table["hidden"]), int(table["head_size"]))
        fixed = float(table["fixed_ms"]) + float(table["layer_ms"]) * (len(config.layers) - 1)
        curves = {
            (place, part): np.asarray(table[place][part], dtype=np.float64).reshape(-1, 2).T
            for place in ("inner", "last")
            for part in ("heads", "ffn")
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecipeError(
            f"{path}: not a latency table ({type(error).__name__}: {error})\n"
            "  remedy: make one on this machine with benchmarks/latency_table.py"
        ) from error
    if measured != (config.hidden, config.head_size):
        raise RecipeError(
            f"{path}: measured at width {measured[0]} and head size {measured[1]}; the model has {config.hidden} and "
            f"{config.head_size}\n  remedy: measure a table for this model"
        )

    def curve(place: str, part: str, most: int) -> np.ndarray:
        counts, times = curves[place, part]
        if most > counts[-1]:
            raise RecipeError(
                f"{path}: measured up to {counts[-1]:g} {part}, the model has {most}\n"
                "  remedy: measure a table for this model"
            )
        return np.maximum.accumulate(np.interp(np.arange(most + 1), counts, times))

    places = ["inner"] * (len(config.layers) - 1) + ["last"]
    return CostTable(
        tuple(curve(place, "heads", one.heads) for place, one in zip(places, config.layers, strict=True)),
        tuple(curve(place, "ffn", one.ffn) for place, one in zip(places, config.layers, strict=True)),
        fixed,
        "ms",
    )
