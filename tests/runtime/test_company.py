"""A text's answer does not depend on what it is packed, batched or asked together with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.artifact import Artifact, write_manifest
from leanformer.errors import ArtifactError, MissingExtraError
from leanformer.export.int8 import Int8
from leanformer.export.standard import write_standard_onnx
from leanformer.metrics.probabilities import softmax
from leanformer.predictor import logits
from leanformer.runtime.predictor import ENGINES, LightPredictor
from leanformer.shapes.encoder import LayerShape
from tests.making.graphs import make_context, make_onnx
from tests.making.tiny import FILLERS, TOPICS, tiny_config

COUNTS = [600, pytest.param(10_000, marks=pytest.mark.slow)]
# Heads that do not span the hidden width, layers that differ.
SHAPE = tiny_config(layers=(LayerShape(3, 40), LayerShape(4, 24), LayerShape(5, 48)))
INT8 = ("mixed", "per_token", "static", "dynamic")


def generated_texts(count: int, seed: int = 0) -> list[str]:
    """Texts of 0 to 40 words, among them unknown ones; lengths spread so that packs hold short and long ones."""
    generator = np.random.default_rng(seed)
    words = [word for topic in TOPICS.values() for word in topic] + FILLERS + ["qqq", "Zürich", "雨", "!", "a1"]
    lengths = np.minimum(generator.geometric(0.1, size=count) - 1, 40)
    return [" ".join(generator.choice(words, size=n)) for n in lengths]


def opened(artifact: Artifact, engine: str, **options: Any) -> LightPredictor:
    """A predictor on one thread; skips where the engine is not installed, or is one that takes only some graphs."""
    one = LightPredictor(artifact, **({"threads": 1, "engine": engine} | options))
    try:
        logits(one, ["a trial"])  # engines are opened at their first use
    except MissingExtraError as error:
        pytest.skip(str(error).splitlines()[0])
    except ArtifactError as error:
        if engine in ("onnxruntime", "openvino"):
            raise
        pytest.skip(str(error).splitlines()[0])
    return one


def probabilities(predictor: LightPredictor, texts: list[str]) -> np.ndarray:
    return softmax(logits(predictor, texts).astype(np.float64))


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    """One model: fp32, in every kind of int8, and each of them as a padded graph ("padded fp32", ...)."""
    folder = tmp_path_factory.mktemp("company")
    encoder, fp32 = make_onnx(folder, config=SHAPE)
    made = {"fp32": fp32}
    for method in INT8:
        step = Int8(method=method, max_flips=1.0, max_mean_share=1.0)
        made[method] = step(fp32, make_context(folder / method, encoder), folder / method / "int8")
    for name, artifact in list(made.items()):
        copy: Path = folder / f"padded-{name}"
        copy.mkdir()
        write_standard_onnx(artifact, copy / "model.onnx")
        (copy / "tokenizer.json").write_bytes(artifact.file("tokenizer.json").read_bytes())
        fields = {
            "format": "onnx",
            "task": artifact.task,
            "max_tokens": artifact.max_tokens,
            "properties": artifact.properties,
        }
        made[f"padded {name}"] = write_manifest(copy, **fields)
    return made


def in_company(artifacts: dict[str, Artifact], name: str, engine: str, texts: list[str]) -> dict[str, np.ndarray]:
    """Probabilities in two kinds of packs, in another order, and in padded batches of two sizes."""
    packed = artifacts[name]
    order = np.random.default_rng(5).permutation(len(texts))
    ways = {
        "packs": opened(packed, engine),
        "small packs": opened(packed, engine, pack_tokens=64),
    }
    result = {way: probabilities(predictor, texts) for way, predictor in ways.items()}
    shuffled = np.empty_like(result["packs"])
    shuffled[order] = probabilities(ways["packs"], [texts[i] for i in order])
    result["packs, shuffled"] = shuffled
    pairs = [probabilities(ways["packs"], texts[start : start + 2]) for start in range(0, len(texts), 2)]
    result["two at a time"] = np.concatenate(pairs)
    if engine == "onnxruntime":
        for tokens in (256, 4096):
            one = opened(artifacts[f"padded {name}"], engine, pack_tokens=tokens)
            result[f"padded batches of {tokens} tokens"] = probabilities(one, texts)
    return result


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("count", COUNTS)
def test_fp32_answers_are_the_same(engine: str, count: int, artifacts: dict[str, Artifact]):
    texts = generated_texts(count)
    alone = probabilities(opened(artifacts["fp32"], engine, exact=True), texts)
    assert np.unique(alone.argmax(axis=1)).size > 1 and alone.std() > 0.05
    for way, ours in in_company(artifacts, "fp32", engine, texts).items():
        np.testing.assert_allclose(ours, alone, atol=1e-5, rtol=0, err_msg=way)


def strays(ours: np.ndarray, alone: np.ndarray) -> tuple[float, int]:
    """The largest difference in probability, and how many labels changed whose top two differ by more than 0.02."""
    top = np.sort(alone, axis=1)
    clear = top[:, -1] - top[:, -2] > 0.02
    return float(np.abs(ours - alone).max()), int((ours.argmax(1) != alone.argmax(1))[clear].sum())


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(
    ("method", "engine"),
    [
        # OpenVINO compiles each graph anew, for seconds.
        pytest.param(method, engine, marks=pytest.mark.slow if engine == "openvino" and method != "mixed" else ())
        for method in ("mixed", "per_token", "static")
        for engine in ENGINES
    ],
)
def test_int8_answers_stay(
    method: str, engine: str, count: int, artifacts: dict[str, Artifact], record_property: pytest.FixtureRequest
):
    texts = generated_texts(count)
    alone = probabilities(opened(artifacts[method], engine, exact=True), texts)
    for way, ours in in_company(artifacts, method, engine, texts).items():
        difference, flips = strays(ours, alone)
        record_property(f"bit-equal, {way}", float((ours == alone).all(axis=1).mean()))
        assert difference <= 0.02 and flips == 0, (way, difference, flips)


@pytest.mark.slow
def test_scales_per_tensor_would_fail_this(artifacts: dict[str, Artifact]):
    """What the test above is for: with ranges taken from the whole batch, company changes the answer."""
    texts = generated_texts(2000)
    alone = probabilities(LightPredictor(artifacts["dynamic"], threads=1, exact=True), texts)
    differences = [strays(ours, alone)[0] for ours in in_company(artifacts, "dynamic", "onnxruntime", texts).values()]
    assert max(differences) > 0.02


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["fp32", "mixed"])
def test_exact_answers_are_the_same_bits(name: str, engine: str, artifacts: dict[str, Artifact]):
    texts = generated_texts(300, seed=2)
    one = opened(artifacts[name], engine, exact=True)
    two = opened(artifacts[name], engine, exact=True, threads=2)
    expected = logits(one, texts)
    assert np.array_equal(logits(one, texts), expected)
    assert np.array_equal(logits(two, texts), expected)
    assert np.array_equal(logits(two, texts[::-1])[::-1], expected)
    assert np.array_equal(logits(two, texts[7:8]), expected[7:8])
