"""The light predictor on a real graph: the same answers however texts are batched, threaded or ordered."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import leanformer
from leanformer.artifact import Artifact, open_artifact, write_manifest
from leanformer.errors import ArtifactError, CheckpointError, DataError, LeanformerError, MissingExtraError
from leanformer.export.standard import write_standard_onnx
from leanformer.metrics.probabilities import softmax
from leanformer.predictor import Predictor, logits
from leanformer.runtime.engines.openvino_engine import OpenVinoEngine
from leanformer.runtime.predictor import LightPredictor, load
from tests.making.tiny import LABELS, TOPICS, tiny_artifact, tiny_texts

TEXTS = tiny_texts(150, seed=4)[0]


@pytest.fixture(scope="module")
def artifact(tiny_onnx_artifact: Path) -> Artifact:
    return open_artifact(tiny_onnx_artifact)


@pytest.fixture(scope="module")
def alone(artifact: Artifact) -> np.ndarray:
    """Logits of each text scored by itself, with nothing padded."""
    predictor = LightPredictor(artifact, threads=1, exact=True)
    return np.concatenate([predictor.infer(predictor.tokenize([text])) for text in TEXTS])


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("pack_tokens", [None, 1, 40, 256, 100_000])
def test_batched_is_alone(artifact: Artifact, alone: np.ndarray, threads: int, pack_tokens: int | None):
    predictor = LightPredictor(artifact, threads=threads, pack_tokens=pack_tokens)
    ours = logits(predictor, TEXTS)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, alone, atol=1e-5, rtol=0)


def test_a_padded_graph_is_run_too(artifact: Artifact, alone: np.ndarray, tmp_path: Path):
    """Artifacts of another maker, or of a family whose attention cannot be packed, hold the usual graph."""
    shutil.copytree(artifact.path, tmp_path / "copy")
    (tmp_path / "copy" / "model.onnx").unlink()
    write_standard_onnx(artifact, tmp_path / "copy" / "model.onnx")
    fields = {"format": "onnx", "task": artifact.task, "max_tokens": 32, "properties": artifact.properties}
    padded = LightPredictor(write_manifest(tmp_path / "copy", **fields), threads=1, pack_tokens=300)
    np.testing.assert_allclose(logits(padded, TEXTS), alone, atol=1e-5, rtol=0)


def test_order_is_kept(artifact: Artifact, alone: np.ndarray):
    assert len({row.tobytes() for row in alone}) > 100, "texts that all answer alike could not tell"
    predictor = LightPredictor(artifact, threads=2, pack_tokens=64)
    order = np.random.default_rng(0).permutation(len(TEXTS))
    np.testing.assert_allclose(logits(predictor, [TEXTS[i] for i in order]), alone[order], atol=1e-5, rtol=0)


def test_predictions_are_the_softmax_of_the_logits(artifact: Artifact, alone: np.ndarray):
    predictions = LightPredictor(artifact, threads=1).predict(TEXTS)
    expected = softmax(alone.astype(np.float64))
    for prediction, row in zip(predictions, expected, strict=True):
        assert tuple(prediction.probabilities) == LABELS
        np.testing.assert_allclose(list(prediction.probabilities.values()), row, atol=1e-5)
        assert sum(prediction.probabilities.values()) == pytest.approx(1)
        assert prediction.label == LABELS[row.argmax()]


def test_it_is_a_predictor(artifact: Artifact):
    assert isinstance(LightPredictor(artifact, threads=1), Predictor)


@pytest.mark.parametrize("threads", [1, 2])
def test_nothing_in_nothing_out(artifact: Artifact, threads: int):
    predictor = LightPredictor(artifact, threads=threads)
    assert predictor.predict([]) == []
    assert logits(predictor, []).shape == predictor.infer([]).shape == (0, 3)


def test_a_bare_string_is_not_a_list_of_letters(artifact: Artifact):
    with pytest.raises(TypeError, match="list"):
        LightPredictor(artifact, threads=1).predict("goal match")


def test_a_very_long_text_is_cut(artifact: Artifact):
    predictor = LightPredictor(artifact, threads=1)
    words = [word for topic in TOPICS.values() for word in topic]  # 30 words, the room beside [CLS] and [SEP]
    long, cut = " ".join(words + ["goal"] * 100_000), " ".join(words)
    (row,) = predictor.tokenize([long])
    assert len(row) == artifact.max_tokens == 32
    np.testing.assert_allclose(logits(predictor, [long]), logits(predictor, [cut]), atol=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        ".",
        "\x00\x07\x1b[31m",
        "雨が降る 🌧️",
        "é" * 500,
        "a\u0301",
        "\u202eright to left",
        "\ufeffgoal",
        "\U0010ffff",
    ],
)
def test_any_text_that_shows_something_gets_an_answer(artifact: Artifact, text: str):
    predictor = LightPredictor(artifact, threads=1)
    (alone,) = predictor.predict([text])
    together = predictor.predict([TEXTS[0], text, TEXTS[1]])[1]
    assert alone.label in LABELS
    assert sum(alone.probabilities.values()) == pytest.approx(1)
    np.testing.assert_allclose(list(alone.probabilities.values()), list(together.probabilities.values()), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["goal " * 200_000, "goal" * 250_000, "雨" * 1_000_000])
def test_a_million_characters_get_an_answer(artifact: Artifact, text: str):
    predictor = LightPredictor(artifact, threads=1)
    (row,) = predictor.tokenize([text])
    assert len(row) <= artifact.max_tokens
    assert np.isfinite(predictor.infer([row])).all()


@pytest.mark.parametrize(
    ("texts", "error", "said"),
    [
        (["goal", "\ud83d"], DataError, "text 2 has half of a surrogate pair"),
        (["goal", None], TypeError, "text 2 is neither a string nor two of them, but None"),
        ([b"goal"], TypeError, "text 1 is neither a string nor two of them, but b"),
        ("goal", TypeError, "wrap one text in a list"),
    ],
)
def test_what_is_no_text_is_refused(texts: Any, error: type[Exception], said: str, artifact: Artifact):
    predictor = LightPredictor(artifact, threads=1)
    for ask in (predictor.predict, predictor.tokenize):
        with pytest.raises(error, match=said):
            ask(texts)


def test_cutting_is_said_aloud(artifact: Artifact):
    predictor = LightPredictor(artifact, threads=1)
    with pytest.warns(UserWarning, match="2 of 3 texts are longer than 32 tokens and were cut"):
        predictor.predict(["goal " * 31, "rain", "rain " * 100])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predictor.predict(["goal " * 30, "rain"])


@pytest.mark.parametrize("overlap", [0, 10])
def test_long_texts_are_read_in_windows(overlap: int, artifact: Artifact):
    words = np.random.default_rng(3).choice([word for topic in TOPICS.values() for word in topic], size=70)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = LightPredictor(artifact, threads=1, windows=overlap).predict(["rain and snow", " ".join(words), "goal"])
    plain = LightPredictor(artifact, threads=1)
    starts = range(0, 70 - overlap, 30 - overlap)
    parts = logits(plain, [" ".join(words[start : start + 30]) for start in starts])
    assert len(parts) == len(starts) == 3 and np.ptp(parts, axis=0).max() > 0.01
    expected = softmax(parts.mean(axis=0).astype(np.float64))
    np.testing.assert_allclose(list(ours[1].probabilities.values()), expected, atol=1e-5)
    for prediction, text in ((ours[0], "rain and snow"), (ours[2], "goal")):
        assert prediction.probabilities == pytest.approx(plain.predict([text])[0].probabilities, abs=1e-5)


def test_options_that_mean_nothing_are_refused(artifact: Artifact):
    for options in ({"windows": -1}, {"windows": 30}, {"engine": "steam"}):
        with pytest.raises(ValueError, match=next(iter(options))):
            LightPredictor(artifact, threads=1, **options)


def test_another_cpu_than_the_one_it_was_checked_on_is_named(artifact: Artifact):
    properties = {**artifact.properties, "checked_on": ["avx2", "tachyon_int8"]}
    with pytest.warns(UserWarning, match="tachyon_int8"):
        LightPredictor(replace(artifact, properties=properties), threads=1)


def test_without_openvino_the_remedy_is_named(artifact: Artifact, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"leanformer\[openvino\]"):
        LightPredictor(artifact, threads=1, engine="openvino").predict(["goal"])


def test_openvino_wants_packs_and_a_whole_file(artifact: Artifact, tmp_path: Path):
    pytest.importorskip("openvino")
    write_standard_onnx(artifact, tmp_path / "padded.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x07 not a model")
    for name, said in (("padded", "packed graphs only"), ("broken", "cannot load it")):
        with pytest.raises(ArtifactError, match=said):
            OpenVinoEngine(tmp_path / f"{name}.onnx", 1)


def test_openvino_answers_in_every_shape(artifact: Artifact, alone: np.ndarray):
    """Lines of 32 tokens and longer, one sequence or many, from several threads."""
    pytest.importorskip("openvino")
    empty = logits(LightPredictor(artifact, threads=1), [""])
    for tokens in (32, 100, 256):
        predictor = LightPredictor(artifact, threads=2, engine="openvino", pack_tokens=tokens)
        np.testing.assert_allclose(logits(predictor, TEXTS), alone, atol=1e-5, rtol=0)
        np.testing.assert_allclose(logits(predictor, [""] * 100), empty.repeat(100, axis=0), atol=1e-5, rtol=0)
    np.testing.assert_allclose(logits(predictor, TEXTS[:1]), alone[:1], atol=1e-5, rtol=0)


def test_openvino_computes_in_fp32(artifact: Artifact):
    """It takes bfloat16 unasked where a CPU has it; on others nothing but this tells."""
    openvino = pytest.importorskip("openvino")
    compiled, _ = OpenVinoEngine(artifact.file("model.onnx"), 1)._compiled(32, 1)
    assert compiled.get_property("INFERENCE_PRECISION_HINT") == openvino.Type.f32


FIRST_ANSWERS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
import numpy as np
from leanformer.artifact import open_artifact
from leanformer.runtime.engines.openvino_engine import OpenVinoEngine

class Meeting:
    # A request that waits for the others between its work and the first look at the result.
    def __init__(self, request):
        self.request, self.get_output_tensor = request, request.get_output_tensor
    def infer(self, feed):
        self.request.infer(feed)
        meet.wait()

engine, meet = OpenVinoEngine(open_artifact(sys.argv[1]).file("model.onnx"), 1, streams=2), Barrier(8)
compiled, idle = engine._compiled(32, 1)
for _ in range(8):
    idle.put(Meeting(compiled.create_infer_request()))
with ThreadPoolExecutor(8) as pool:
    answers = list(pool.map(lambda _: engine.run([np.array([2, 5, 3])], [[0]]).tolist(), range(8)))
assert all(one == answers[0] for one in answers), answers
"""


@pytest.mark.slow
def test_the_first_answers_of_openvino_may_come_together(artifact: Artifact):
    """Its bindings can lock up when their first use is from two threads: in one fresh process of six, as tried."""
    pytest.importorskip("openvino")
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", FIRST_ANSWERS, str(artifact.path)], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("threads", [1, 2])
def test_one_predictor_serves_several_threads(artifact: Artifact, alone: np.ndarray, threads: int):
    predictor = LightPredictor(artifact, threads=threads, pack_tokens=64)
    chunks = [TEXTS[i : i + 30] for i in range(0, 150, 30)] * 4
    expected = [alone[i : i + 30] for i in range(0, 150, 30)] * 4
    with ThreadPoolExecutor(4) as pool:
        for ours, theirs in zip(pool.map(lambda chunk: logits(predictor, chunk), chunks), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=0)


def test_load_opens_a_folder(tiny_onnx_artifact: Path):
    assert leanformer.load(str(tiny_onnx_artifact), threads=1).predict(["goal match team"])[0].label in LABELS


def test_load_says_what_to_do_with_a_pytorch_model(tmp_path: Path):
    tiny_artifact(tmp_path / "encoder")
    with pytest.raises(ArtifactError, match="format 'encoder' is not run by the light runtime") as caught:
        load(tmp_path / "encoder")
    assert "leanformer compress" in str(caught.value)


def test_a_corrupted_graph_is_refused_by_its_hash(tiny_onnx_artifact: Path, tmp_path: Path):
    shutil.copytree(tiny_onnx_artifact, tmp_path / "copy")
    graph = tmp_path / "copy" / "model.onnx"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"model\.onnx: content differs from the hash"):
        load(tmp_path / "copy")


@pytest.mark.parametrize(("name", "error"), [("model.onnx", ArtifactError), ("tokenizer.json", CheckpointError)])
def test_a_broken_file_with_the_right_hash_is_refused_too(
    name: str, error: type[Exception], artifact: Artifact, tmp_path: Path
):
    shutil.copytree(artifact.path, tmp_path / "copy")
    (tmp_path / "copy" / name).write_bytes(b"\x08\x07 not a model")
    fields = {"format": "onnx", "task": artifact.task, "max_tokens": 32, "properties": artifact.properties}
    write_manifest(tmp_path / "copy", **fields)
    with pytest.raises(error, match=name):
        load(tmp_path / "copy", threads=1).predict(["goal"])


def test_prediction_needs_no_torch(tiny_onnx_artifact: Path):
    code = (
        "import json, sys, leanformer; one = leanformer.load(sys.argv[1], threads=2).predict(['rain and snow'])[0]; "
        "print(json.dumps([one.label, [n for n in ('torch', 'transformers', 'onnx') if n in sys.modules]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tiny_onnx_artifact)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    label, heavy = json.loads(done.stdout)
    assert label in LABELS
    assert heavy == []


def test_what_openvino_says_while_it_runs_is_a_message(artifact: Artifact):
    pytest.importorskip("openvino")
    engine = OpenVinoEngine(artifact.file("model.onnx"), 1)
    ids = np.full(5, 10**6, np.int32)
    engine._path = artifact.path / "gone.onnx"
    with pytest.raises(ArtifactError, match=r"OpenVINO cannot compile it(.|\n)*remedy"):
        engine.run([ids], [[0]])
    engine._path = artifact.file("model.onnx")
    engine._takes_first = False
    with pytest.raises(ArtifactError, match=r"OpenVINO cannot run it(.|\n)*remedy"):
        engine.run([np.arange(5, dtype=np.int32)], [[0]])


def test_too_little_memory_is_a_message(artifact: Artifact):
    predictor = LightPredictor(artifact, threads=1)

    def cut(rows: object, tokens: object = None) -> None:
        raise MemoryError("not enough memory for 40 tokens")

    predictor.predict(["goal"])
    for engine in predictor._engines.values():
        engine.cut = cut  # type: ignore[assignment, method-assign]
    with pytest.raises(LeanformerError, match=r"not enough memory for 40 tokens, with 2 texts(.|\n)*fewer texts"):
        predictor.predict(["goal", "match"])


def test_a_text_alone_has_more_threads_only_while_the_cores_are_free(
    artifact: Artifact, monkeypatch: pytest.MonkeyPatch
):
    predictor = LightPredictor(artifact, threads=2, tuning=False)
    row, opened = predictor.tokenize(TEXTS[:1]), list[int]()
    engine = predictor._open(1)
    monkeypatch.setattr(predictor, "_open", lambda threads, number=0: (opened.append(threads), engine)[1])
    for free in (True, False):
        predictor.__dict__["_free"] = lambda threads, free=free: free and threads == 2
        predictor.infer(row)
    assert opened == [2, 1]
    exact = LightPredictor(artifact, threads=2, tuning=False, exact=True)
    monkeypatch.setattr(exact, "_open", lambda threads, number=0: (opened.append(threads), engine)[1])
    exact.infer(row)
    assert opened == [2, 1, 1]
