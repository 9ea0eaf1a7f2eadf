"""The runtime with a model that tags words: chunks and threads, the native engine, and tuning."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from leanformer.answers.forms import changed_answers
from leanformer.artifact import Artifact
from leanformer.errors import ArtifactError, DataError, LeanformerError
from leanformer.foreign import open_foreign
from leanformer.ladder.on_request import Further
from leanformer.models.predictor import TorchPredictor
from leanformer.predictor import answers_by_chunk, chunked, logits, logits_by_chunk
from leanformer.runtime import predictor as predictor_module
from leanformer.runtime.native.weights import UnsupportedGraphError, weights_of
from leanformer.runtime.onnx_file import read_onnx
from leanformer.runtime.predictor import LightPredictor
from leanformer.runtime.settings import default_engine, default_settings
from leanformer.tagging.ragged import flat, ragged
from leanformer.tune import opening
from leanformer.tune import tune as tune_module
from leanformer.tune.tune import tune
from tests.making.graphs import make_tagger
from tests.making.native import COMPILED, INT8_DEFAULT
from tests.making.tagged import TASK, tagged_examples

EXAMPLES = tagged_examples(50, 9)
TEXTS = [*EXAMPLES.texts[:20], " ".join(EXAMPLES.texts[:9]), "", *EXAMPLES.texts[20:]]
# An empty text has logits, of no words, and no answer.
ASKED = [text for text in TEXTS if text]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, Artifact, Artifact]:
    """A tagger, its graph, and its int8 graph."""
    return make_tagger(tmp_path_factory.mktemp("made"))


@pytest.mark.parametrize("threads", [1, 2])
def test_sentences_in_chunks_are_the_sentences(made: tuple[Artifact, ...], threads: int) -> None:
    expected = logits(TorchPredictor(made[0]), TEXTS)
    light = LightPredictor(made[1], threads=threads)
    for predictor in (light, TorchPredictor(made[0])):
        chunks = list(logits_by_chunk(predictor, chunked(TEXTS, 20)))
        assert [list(chunk) for chunk, _ in chunks] == [TEXTS[i : i + 20] for i in range(0, len(TEXTS), 20)]
        values = np.concatenate([part for _, part in chunks])
        assert [value.shape for value in values] == [logit.shape for logit in expected]
        np.testing.assert_allclose(flat(values), flat(expected), atol=1e-4, rtol=0)
    assert [values.shape for _, values in light.stream([[], TEXTS[:1]])] == [(0,), (1,)]


def test_predict_in_chunks_is_predict(made: tuple[Artifact, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = LightPredictor(made[1], threads=2)
    questions = [*ASKED, ["the", "goal"], "«the goal»", "the song's/l’album"]
    whole = predictor.predict(questions)
    monkeypatch.setattr(predictor_module, "CHUNK", 17)
    assert [prediction.tags for prediction in predictor.predict(iter(questions))] == [
        prediction.tags for prediction in whole
    ]
    found = [
        pair
        for chunk, each in answers_by_chunk(predictor, chunked(questions, 9))
        for pair in zip(chunk, each, strict=True)
    ]
    assert [question for question, _ in found] == questions
    assert [
        (prediction.words, prediction.spans and [span.text for span in prediction.spans]) for _, prediction in found
    ] == [(prediction.words, prediction.spans and [span.text for span in prediction.spans]) for prediction in whole]
    with pytest.raises(DataError, match="sentence 40 has half"):
        predictor.predict([*ASKED[:39], "half \ud800", *ASKED[39:]])


def test_the_native_engine_is_the_default_for_int8_alone(made: tuple[Artifact, ...]) -> None:
    _, fp32, int8 = made
    assert default_engine(fp32)[0] == "onnxruntime"
    with pytest.raises(UnsupportedGraphError, match="not in int8"):
        weights_of(read_onnx(fp32.file("model.onnx")), fp32.properties)
    if not COMPILED:
        pytest.skip("no C++ compiler")
    assert default_engine(int8)[0] == INT8_DEFAULT
    ours, theirs = (LightPredictor(int8, threads=2, engine=engine).predict(ASKED) for engine in (None, "onnxruntime"))
    assert [len(prediction.tags or ()) for prediction in ours] == [len(prediction.tags or ()) for prediction in theirs]
    told = LightPredictor(fp32, threads=1, engine="native")
    with pytest.raises(ArtifactError, match=r"not in int8\n  remedy: the engine onnxruntime"):
        told.infer(told.tokenize(TEXTS[:2]))


def test_changed_tags_and_near_ties() -> None:
    """Logits of O, B-MUS, I-MUS, B-SPO and I-SPO."""
    rows = {
        "same": ([[0, 3, 1, 0, 0]] * 2, [[0, 3, 1, 0, 0]] * 2),
        "tie": ([[1, 1.01, 0, 0, 0], [3, 0, 0, 0, 0]], [[1.01, 1, 0, 0, 0], [3, 0, 0, 0, 0]]),
        "clear": ([[1, 2, 0, 0, 0], [3, 0, 0, 0, 0]], [[2, 1, 0, 0, 0], [3, 0, 0, 0, 0]]),
        # Two words that move together are judged by their sum, though the second alone was clear.
        "both, a tie": ([[3.1, 0, 0, 0.5, 0], [0, 0, 0, 0, 2.5]], [[3, 0, 0, 0.5, 0], [0, 0, 0, 0, 2.51]]),
        "both, clear": ([[3.1, 0, 0, 0.5, 0], [0, 0, 0, 0, 2.5]], [[2.5, 0, 0, 0.5, 0], [0, 0, 0, 0, 2.5]]),
        "not finite": ([[np.nan] * 5], [[1, 0, 0, 0, 0]]),
        "nothing": (np.zeros((0, 5)), np.zeros((0, 5))),
    }
    ours, theirs = (ragged([np.asarray(row[i], np.float64) for row in rows.values()]) for i in (0, 1))
    each = {name: changed_answers(ours[[i]], theirs[[i]], TASK) for i, name in enumerate(rows)}
    assert each == {
        "same": 0, "tie": 0, "clear": 1, "both, a tie": 0, "both, clear": 1, "not finite": 1, "nothing": 0
    }  # fmt: skip
    assert changed_answers(ours, theirs, TASK) == pytest.approx(3 / 7)


def test_tuning_runs_and_says_why_the_native_engine_does_not(
    made: tuple[Artifact, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = [default_settings(2), *(default_settings(2, engine) for engine in ("native", "openvino"))]
    monkeypatch.setattr(tune_module, "candidates", lambda *given: chosen)
    monkeypatch.setattr(opening, "_HOPELESS", 1e9)
    monkeypatch.setattr(tune_module, "_OPENING_SHARE", 1e4)
    monkeypatch.setattr(tune_module, "LEAST_SECONDS", 0.1)
    monkeypatch.setattr(tune_module, "_check_budget", lambda *given: None)
    for goal in ("throughput", "latency"):
        record = tune(made[1], TEXTS, goal=goal, seconds=0.2, cores=2, turn_texts=16)
        native, openvino = json.loads(json.dumps(record, allow_nan=False))["alternatives"]
        assert native["left"].startswith("does not run here") and "not in int8" in native["left"]
        assert openvino["changed"] == 0


def test_what_is_not_for_taggers_says_so() -> None:
    for asked in (Further(slices=("region",)), Further(groups=("region",)), Further(stability=True)):
        with pytest.raises(LeanformerError, match="'tokens'"):
            asked.prepare(EXAMPLES, 1)
    with pytest.raises(LeanformerError, match="'tokens'"):
        Further(robustness=True).prepare(EXAMPLES, 1)


FOREIGN = """
from leanformer import load


class Mine:
    def __init__(self, folder, *, threads):
        self.model = load(folder, threads=threads)
        self.task, self.tokenize, self.infer = self.model.task, self.model.tokenize, self.model.infer


class Whole(Mine):
    def sentence_windows(self, sentences):
        return self.model.sentence_windows(sentences)


class Short(Whole):
    def __init__(self, folder, *, threads):
        super().__init__(folder, threads=threads)
        self.infer = lambda rows: self.model.infer(rows)[:3]
"""


def test_a_tagger_of_the_users_own(made: tuple[Artifact, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_tagger.py").write_text(FOREIGN)
    monkeypatch.syspath_prepend(tmp_path)
    whole = open_foreign("own_tagger:Whole", made[1], threads=1)
    np.testing.assert_array_equal(flat(logits(whole, TEXTS)), flat(logits(LightPredictor(made[1], threads=1), TEXTS)))
    with pytest.raises(LeanformerError, match="it has no sentence_windows"):
        open_foreign("own_tagger:Mine", made[1], threads=1)
    with pytest.raises(LeanformerError, match=r"infer gave float32 \[3, 5\] .* not logits \[\d+, 5\]"):
        open_foreign("own_tagger:Short", made[1], threads=1)
