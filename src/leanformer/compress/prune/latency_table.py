"""A file with measured milliseconds per number of heads and units, and the measurement itself.

Latency is not a property of the model alone, so it is measured separately (benchmarks/runtime/latency_table.py), saved
with a description of the machine, and read by pruning. The caller passes in the function that runs the model: this
package does not depend on an engine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.compress.prune.costs import CostTable, Widths
from leanformer.errors import RecipeError
from leanformer.shapes.encoder import EncoderConfig, LayerShape

Curve = list[list[float]]


def measure_latency_table(
    config: EncoderConfig,
    milliseconds: Callable[[EncoderConfig], float],
    *,
    points: int = 8,
    facts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Time models of one and two layers of `config`'s width, and derive the cost of heads and of units.

    Args:
        config: gives the width and head size; its widest layers give the largest numbers of heads and units.
        milliseconds: returns the latency of a model of the given shape, for the batch of interest.
        points: how many numbers of heads and of units to measure, evenly spaced.
        facts: copied into the table unchanged, such as the machine and the tokens of the batch.

    The last layer has separate curves, since a graph may compute it for one token only. All layers are timed with the
    settings of the last layer: its window and rotary angles make little difference compared with the matrix products.
    """
    most = Widths(max(layer.heads for layer in config.layers), max(layer.ffn for layer in config.layers))
    least = _of_width(config, 1, max(1, most.ffn // points))

    def time(*layers: LayerShape) -> float:
        return milliseconds(replace(config, layers=layers))

    single, double = time(least), time(least, least)
    table: dict[str, Any] = {**_measured_at(config), **(facts or {})}
    table |= {"fixed_ms": single, "layer_ms": max(0.0, double - single), "inner": {}, "last": {}}
    for part in ("heads", "ffn"):
        start, end = getattr(least, part), getattr(most, part)
        counts = sorted({round(start + (end - start) * i / (points - 1)) for i in range(points)})
        for place, base in (("inner", double), ("last", single)):
            curve: Curve = [[start, 0.0]]
            for count in counts[1:]:
                layer = _of_width(config, **{"heads": least.heads, "ffn": least.ffn, part: count})
                taken = time(layer, least) if place == "inner" else time(layer)
                # More work is never faster; a measurement that says so is noise.
                curve.append([count, max(curve[-1][1], taken - base)])
            table[place][part] = curve
    return table


def _of_width(config: EncoderConfig, heads: int, ffn: int) -> LayerShape:
    """A layer with the settings of the last one; its heads take the first columns of a relative bias table."""
    columns = None if config.relative_bias is None else tuple(range(heads))
    return replace(config.layers[-1], heads=heads, ffn=ffn, bias_columns=columns)


def _measured_at(config: EncoderConfig) -> dict[str, Any]:
    """The properties, besides depth and widths, that must match for a table to apply to a model."""
    facts: dict[str, Any] = {"hidden": config.hidden, "head_size": config.head_size}
    # Omitted for families with neither, so that older tables stay valid.
    if config.gated_ffn:
        facts["gated_ffn"] = True
    if config.head.pooling != "first":
        facts["pooling"] = config.head.pooling
    return facts


def read_latency_table(path: Path, config: EncoderConfig) -> CostTable:
    """Read the table as costs of the shapes that `config` can be narrowed to, interpolated between measurements.

    Raises `RecipeError` if the file is not such a table, or is for models of another width or kind.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        measured = {"hidden": int(table["hidden"]), "head_size": int(table["head_size"])}
        measured |= {name: table[name] for name in ("gated_ffn", "pooling") if name in table}
        fixed = float(table["fixed_ms"]) + float(table["layer_ms"]) * (len(config.layers) - 1)
        curves = {
            (place, part): np.asarray(table[place][part], dtype=np.float64).reshape(-1, 2).T
            for place in ("inner", "last")
            for part in ("heads", "ffn")
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecipeError(
            f"{path}: not a latency table ({type(error).__name__}: {error})\n"
            "  remedy: make one on this machine with benchmarks/runtime/latency_table.py"
        ) from error
    if measured != _measured_at(config):
        raise RecipeError(
            f"{path}: measured at {_shown(measured)}; the model has {_shown(_measured_at(config))}\n"
            "  remedy: measure a table for this model"
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
        tuple(curve(place, "heads", layer.heads) for place, layer in zip(places, config.layers, strict=True)),
        tuple(curve(place, "ffn", layer.ffn) for place, layer in zip(places, config.layers, strict=True)),
        fixed,
        "ms",
    )


def _shown(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())
