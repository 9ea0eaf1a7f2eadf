"""How long one text takes in a model of any shape, by the shapes that were timed on this machine.

Models with random weights take as long as trained ones. Some are exported like the model in question, timed on texts
of several lengths by the engine that will run it, and fitted by least squares on relative errors. The idea is HAT's
(Wang et al. 2020, arXiv 2005.14187), whose predictor is a network; here it is linear in the work of a shape.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from leanformer.artifact import Artifact
from leanformer.files import sha256_json
from leanformer.kept import keep, kept
from leanformer.progress import Status
from leanformer.runtime.predictor import LightPredictor
from leanformer.runtime.settings import machine
from leanformer.shapes.encoder import EncoderConfig
from leanformer.shapes.flops import EncoderShape
from leanformer.tune.random_model import random_model, shape_of

TOKENS = (8, 16, 32, 64, 128)  # lengths of the timed texts, as far as the model reads them
SHAPES, ROUNDS = 24, 7
_TURN_SECONDS, _MOST_REPEATS = 0.01, 20
_RIDGE = 1e-6
VERSION = 1


@dataclass(frozen=True)
class Point:
    """A shape, as heads and feed-forward units of each layer, the tokens of a text, and the milliseconds it took."""

    layers: tuple[tuple[int, int], ...]
    tokens: int
    ms: float


def features(shape: EncoderShape, tokens: int) -> list[float]:
    """What the time of one text depends on.

    A constant, the tokens and the layers; rows of norms and sums; of attention and of feed-forward blocks the weights
    that are read and the multiplications with them; the products of queries with keys and of attention with values.
    """
    asked = [shape.asked(layer, tokens) for layer in range(len(shape.layers))]
    maps = [shape.hidden * shape.head_size * heads for heads, _ in shape.layers]
    units = [(3 if shape.gated else 2) * shape.hidden * ffn for _, ffn in shape.layers]
    widths = [shape.head_size * heads for heads, _ in shape.layers]
    return [
        1.0, float(tokens), float(len(shape.layers)), float(shape.hidden * sum(asked)),
        float(4 * sum(maps)), float(sum(units)),
        float(sum(2 * (tokens + rows) * size for rows, size in zip(asked, maps, strict=True))),
        float(sum(rows * size for rows, size in zip(asked, units, strict=True))),
        float(sum(2 * rows * tokens * width for rows, width in zip(asked, widths, strict=True))),
    ]  # fmt: skip


def solve(rows: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Weights, none below zero, that minimise the squared relative errors of `rows @ weights` against `times`.

    Of the features whose weight would be negative, the most negative is left out until none is (no work takes less
    than no time); a ridge of 1e-6 keeps features apart that rise together.
    """
    scale = np.maximum(np.abs(rows).max(axis=0), 1e-30)
    weighted = rows / scale / times[:, None]
    used = list(range(rows.shape[1]))
    while True:
        part = weighted[:, used]
        gram = part.T @ part
        found = np.linalg.solve(
            gram + _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram)), part.T @ np.ones(len(times))
        )
        if len(used) == 1 or found.min() >= 0:
            weights = np.zeros(rows.shape[1])
            weights[used] = found / scale[used]
            return weights
        del used[int(found.argmin())]


@dataclass(frozen=True)
class TimeModel:
    """Predicts milliseconds of one text, without tokenizing it.

    Attributes:
        path: the file in which it is kept, if it is.
        base: a shape with the widths that all models here share; its layers are of no account.
        points: what was timed. about: the machine, the precision and the engine, as plain JSON.
    """

    base: EncoderShape
    points: tuple[Point, ...]
    about: dict[str, Any]
    weights: np.ndarray
    path: Path = Path()

    @classmethod
    def of(cls, base: EncoderShape, points: Sequence[Point], about: dict[str, Any]) -> TimeModel:
        """The model fitted to the points."""
        return cls(base, tuple(points), about, _fitted(base, points))

    def predict(self, layers: Sequence[tuple[int, int]], tokens: int) -> float:
        """Milliseconds of a text of `tokens` tokens, special ones included, for these heads and units of each layer."""
        return float(np.array(features(_with_layers(self.base, layers), tokens)) @ self.weights)

    def left_out_error(self) -> float:
        """Mean absolute relative error, each shape predicted from the others."""
        errors = []
        for shape in {point.layers for point in self.points}:
            weights = _fitted(self.base, [point for point in self.points if point.layers != shape])
            own = [point for point in self.points if point.layers == shape]
            errors += [abs(float(_rows(self.base, [point])[0] @ weights) / point.ms - 1) for point in own]
        return float(np.mean(errors))

    def to_json(self) -> dict[str, Any]:
        return {
            **self.about,
            "base": {**asdict(self.base), "attention": []},
            "points": [asdict(p) for p in self.points],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> TimeModel:
        """Raises `KeyError`, `TypeError` or `ValueError` for anything that `to_json` has not written."""
        base = EncoderShape(**{**value["base"], "layers": _pairs(value["base"]["layers"]), "attention": ()})
        points = [Point(_pairs(point["layers"]), int(point["tokens"]), float(point["ms"])) for point in value["points"]]
        about = {key: part for key, part in value.items() if key not in ("base", "points")}
        return cls.of(base, points, about)


def time_model(
    artifact: Artifact,
    folder: Path,
    *,
    precision: str,
    cores: int,
    seed: int = 13,
    say: Callable[[str], None] = lambda line: None,
) -> TimeModel:
    """The model of time for shapes cut from `artifact`, an encoder, on this machine: timed now, or found in `folder`.

    It is kept in a file whose name is a hash of the machine, the widths and the precision ("fp32", or "int8" and its
    method).
    """
    whole = shape_of(artifact)
    tokens = [count for count in TOKENS if count <= artifact.max_tokens] or [artifact.max_tokens]
    cause = {"version": VERSION, "machine": machine(cores), "precision": precision, "tokens": tokens, "seed": seed}
    key = sha256_json([cause, whole.to_json()])
    path = folder / f"time-{key[:16]}.json"
    if (found := kept(path, say, again="timed again")) is not None:
        return replace(TimeModel.from_json(found), path=path)
    layers = drawn_shapes(whole, SHAPES, seed)
    points, engine = timed(artifact, layers, tokens, precision=precision, cores=cores, seed=seed, say=say)
    base = whole.shape(first_token_only=True)
    model = TimeModel.of(base, points, {"format_version": VERSION, **cause, "engine": engine})
    keep(path, model.to_json())
    return replace(model, path=path)


def drawn_shapes(whole: EncoderConfig, count: int, seed: int) -> list[tuple[tuple[int, int], ...]]:
    """Shapes within `whole`, drawn at random: a depth, heads and units of all layers; the first is `whole` itself."""
    draw = Random(seed)
    heads, units = (max(getattr(layer, part) for layer in whole.layers) for part in ("heads", "ffn"))
    steps = max(1, units // 8)
    shapes = [tuple((layer.heads, layer.ffn) for layer in whole.layers)]
    most = len(whole.layers) * heads * steps
    while len(shapes) < min(count, most):
        depth = draw.randint(1, len(whole.layers))
        shape = ((draw.randint(1, heads), min(units, 8 * draw.randint(1, steps))),) * depth
        if shape not in shapes:
            shapes.append(shape)
    return shapes


def timed(
    artifact: Artifact, shapes: Sequence[tuple[tuple[int, int], ...]], tokens: Sequence[int], *, precision: str,
    cores: int, seed: int = 13, say: Callable[[str], None] = lambda line: None,
) -> tuple[list[Point], str]:  # fmt: skip
    """Time models of these shapes with random weights on single texts of these lengths; also the engine that ran them.

    In each round every shape and length has one turn, in another order. The least median of a turn counts:
    whatever else runs on the machine only adds to it.
    """
    with tempfile.TemporaryDirectory(prefix="timing-") as folder:
        predictors = []
        for number, shape in enumerate(shapes):
            say(Status(f"model of time: shape {number + 1} of {len(shapes)}"))
            made = random_model(artifact, shape, Path(folder) / str(number), precision=precision, threads=cores)
            predictors.append(LightPredictor(made, threads=cores, tuning=False))
        texts = [_text(predictors[0], count) for count in tokens]
        turns = [(which, length) for which in range(len(shapes)) for length in range(len(tokens))]
        repeats = {turn: _repeats(predictors[turn[0]], texts[turn[1]]) for turn in turns}
        found: dict[tuple[int, int], list[float]] = {turn: [] for turn in turns}
        random = np.random.default_rng(seed)
        for number in range(ROUNDS):
            say(Status(f"model of time: round {number + 1} of {ROUNDS}"))
            for place in random.permutation(len(turns)):
                which, length = turns[place]
                found[turns[place]].append(_turn(predictors[which], texts[length], repeats[turns[place]]))
        engine = predictors[0].engine
    points = [Point(tuple(shapes[which]), tokens[length], min(found[which, length])) for which, length in turns]
    return points, engine


def _repeats(predictor: LightPredictor, text: str) -> int:
    """How many answers make a turn long enough for the clock; warms up."""
    rows = predictor.tokenize([text])
    predictor.infer(rows)
    start = time.perf_counter()
    predictor.infer(rows)
    return int(np.clip(_TURN_SECONDS / max(time.perf_counter() - start, 1e-6), 3, _MOST_REPEATS))


def _turn(predictor: LightPredictor, text: str, repeats: int) -> float:
    """Median milliseconds of one text, each time behind the tokenizer, as in use; its own time does not count."""
    times = []
    predictor.infer(predictor.tokenize([text]))
    for _ in range(repeats):
        rows = predictor.tokenize([text])
        start = time.perf_counter()
        predictor.infer(rows)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def _text(predictor: LightPredictor, tokens: int) -> str:
    """A text of this many tokens, special ones included, for the tokenizer of `random_model`."""
    (bare,) = predictor.tokenize(["a"])
    return " ".join(["a"] * max(1, tokens - len(bare) + 1))


def _with_layers(base: EncoderShape, layers: Sequence[tuple[int, int]]) -> EncoderShape:
    return replace(base, layers=tuple(layers), attention=())


def _rows(base: EncoderShape, points: Sequence[Point]) -> np.ndarray:
    return np.array([features(_with_layers(base, point.layers), point.tokens) for point in points])


def _fitted(base: EncoderShape, points: Sequence[Point]) -> np.ndarray:
    return solve(_rows(base, points), np.array([point.ms for point in points]))


def _pairs(layers: Any) -> tuple[tuple[int, int], ...]:
    return tuple((int(heads), int(units)) for heads, units in layers)
