"""A cascade of real graphs answers as routing by hand does, whatever way it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest

import leanformer
from leanformer.artifact import Artifact, open_artifact
from leanformer.cascade.confidence import confidence
from leanformer.cascade.plan import Plan
from leanformer.cascade.predictor import CascadePredictor
from leanformer.cascade.rows import CascadeTokenizer, join, split, tokenizer_of
from leanformer.cascade.store import write_cascade
from leanformer.ladder.variants import ways_of
from leanformer.loading import open_predictor
from leanformer.predictor import Predictor, chunked, logits, logits_by_chunk
from leanformer.serve.http.inputs import Query
from leanformer.serve.model import open_model
from leanformer.serve.workers.tuned import open_tuned
from tests.making.cascades import make_members, other_tokenizer
from tests.making.graphs import make_onnx
from tests.making.tiny import tiny_texts

TEXTS = tiny_texts(150, seed=4)[0]


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> list[Artifact]:
    return make_members(tmp_path_factory.mktemp("members"))


@pytest.fixture(scope="module")
def margins(members: list[Artifact]) -> np.ndarray:
    """Of the small member's probabilities at temperature 1.5, each the largest less the second."""
    scaled = logits(exact(members[0]), TEXTS).astype(np.float64) / 1.5
    shares = np.sort(np.exp(scaled) / np.exp(scaled).sum(axis=1, keepdims=True), axis=1)
    return shares[:, -1] - shares[:, -2]


@pytest.fixture(scope="module")
def plan(margins: np.ndarray) -> Plan:
    """Half of the texts stand."""
    return Plan("margin", (1.5,), (float(np.median(margins)),))


@pytest.fixture(scope="module")
def cascade(members: list[Artifact], plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return write_cascade(members, plan, tmp_path_factory.mktemp("cascade") / "cascade")


def exact(artifact: Artifact) -> Predictor:
    return open_predictor(artifact, threads=1)


@pytest.fixture(scope="module")
def by_hand(members: list[Artifact], margins: np.ndarray, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """Who answers each text, and the logits that come of it, from those of both members on all texts."""
    small, large = (logits(exact(member), TEXTS) for member in members)
    stands = margins >= plan.thresholds[0]
    assert stands.sum() == len(TEXTS) / 2
    return np.where(stands, 0, 1), np.where(stands[:, None], small, large)


@pytest.mark.parametrize("threads", [1, 2])
def test_it_routes_as_by_hand(cascade: Artifact, by_hand: tuple[np.ndarray, np.ndarray], threads: int):
    predictor = open_predictor(cascade, threads=threads)
    assert isinstance(predictor, CascadePredictor) and isinstance(predictor, Predictor)
    answering, expected = by_hand
    np.testing.assert_allclose(predictor.infer(predictor.tokenize(TEXTS)), expected, atol=1e-5)
    assert predictor.answered == np.bincount(answering).tolist()
    labels = [cascade.task.labels[i] for i in expected.argmax(axis=1)]
    assert [prediction.label for prediction in predictor.predict(TEXTS)] == labels


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_streams_keep_their_order(cascade: Artifact, by_hand: tuple[np.ndarray, np.ndarray], threads: int, size: int):
    found = list(logits_by_chunk(open_predictor(cascade, threads=threads), chunked(TEXTS, size)))
    assert [text for chunk, _ in found for text in chunk] == list(TEXTS)
    np.testing.assert_allclose(np.concatenate([part for _, part in found]), by_hand[1], atol=1e-5)


def test_the_unsure_rows_of_a_batch_go_on_in_one_batch(cascade: Artifact, by_hand: tuple[np.ndarray, np.ndarray]):
    asked: list[list[int]] = [[], []]

    class Counting:
        def __init__(self, artifact: Artifact) -> None:
            self.inner, self.task = exact(artifact), artifact.task
            self.number = int(Path(artifact.path).name)

        def tokenize(self, texts):
            return self.inner.tokenize(texts)

        def infer(self, rows):
            asked[self.number].append(len(rows))
            return self.inner.infer(rows)

    predictor = CascadePredictor(cascade, Counting)
    predictor.infer(predictor.tokenize(TEXTS))
    unsure = int((by_hand[0] == 1).sum())
    assert asked == [[len(TEXTS)], [unsure]]
    list(predictor.stream(chunked(TEXTS, 50)))
    parts = [int((by_hand[0][begin : begin + 50] == 1).sum()) for begin in (0, 50, 100)]
    assert asked == [[len(TEXTS), 50, 50, 50], [unsure, *parts]]


def test_nothing_in_nothing_out(cascade: Artifact):
    predictor = open_predictor(cascade, threads=2)
    assert predictor.infer([]).shape == logits(predictor, []).shape == (0, 3)
    assert [values.shape for _, values in logits_by_chunk(predictor, [[], TEXTS[:3], []])] == [(0, 3), (3, 3), (0, 3)]


@pytest.mark.parametrize(("threshold", "number"), [(0.0, 0), (1.0, 1), (None, 1)])
def test_the_ends_are_the_members(members: list[Artifact], tmp_path: Path, threshold: float | None, number: int):
    artifact = write_cascade(members, Plan("margin", (1.0,), (threshold,)), tmp_path / "cascade")
    predictor = open_predictor(artifact, threads=1)
    np.testing.assert_allclose(logits(predictor, TEXTS), logits(exact(members[number]), TEXTS), atol=1e-5)
    assert isinstance(predictor, CascadePredictor)
    assert (0 in predictor.members) == (threshold is not None), "a member that is not asked is not opened"


def test_members_may_have_tokenizers_of_their_own(tmp_path: Path, plan: Plan, by_hand: tuple[np.ndarray, np.ndarray]):
    small, large = make_members(tmp_path)
    artifact = write_cascade([small, other_tokenizer(large)], plan, tmp_path / "cascade")
    predictor = open_predictor(artifact, threads=2)
    rows = predictor.tokenize(TEXTS)
    assert len(rows[0]) == 2 + 2 * len(exact(small).tokenize(TEXTS[:1])[0])
    np.testing.assert_allclose(predictor.infer(rows), by_hand[1], atol=1e-5)
    streamed = np.concatenate([values for _, values in predictor.stream(chunked(TEXTS, 40))])
    np.testing.assert_allclose(streamed, by_hand[1], atol=1e-5)
    front = tokenizer_of(artifact)
    assert isinstance(front, CascadeTokenizer)
    assert all((row == other).all() for row, other in zip(front.encode(TEXTS), rows, strict=True))
    assert front.count_longer(["goal " * 100, "goal"]) == 1
    long = ["goal " * 100 + "storm " * 100]
    [cut], [expected] = front.cutting("left").encode(long), front.encode(["storm " * 100])
    assert cut.tolist() == expected.tolist() != front.encode(long)[0].tolist()


class Marked:
    """A member whose ids begin with a mark of its own, and that takes no others."""

    def __init__(self, artifact: Artifact, mark: int) -> None:
        self.artifact, self.task, self.mark = artifact, artifact.task, mark

    def tokenize(self, texts: Sequence[str]) -> list[np.ndarray]:
        return [np.array([self.mark, len(text)], dtype=np.int32) for text in texts]

    def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        assert {int(row[0]) for row in rows} == {self.mark}, "these are another member's ids"
        # The first member is sure of short texts alone.
        heights = [3.0 if self.mark == 8 or row[1] < 5 else 0.0 for row in rows]
        return np.array([[height, 0, self.mark / 100] for height in heights], dtype=np.float32)


def test_each_member_gets_the_ids_of_its_own_tokenizer(tmp_path: Path):
    small, large = make_members(tmp_path)
    plan = Plan("probability", (1.0,), (0.8,))
    artifact = write_cascade([small, other_tokenizer(large)], plan, tmp_path / "cascade")
    marks = iter((7, 8))
    predictor = CascadePredictor(artifact, lambda member: cast(Predictor, Marked(member, next(marks))))
    values = predictor.infer(predictor.tokenize(["goal", "a long text", "song", "another long text"]))
    assert (100 * values[:, 2]).round().tolist() == [7, 8, 7, 8]


def test_rows_are_joined_and_split():
    single = [np.array([5, 6], dtype=np.int32), np.array([7], dtype=np.int32)]
    assert join(single).tolist() == [2, 1, 5, 6, 7]
    pair = [np.array([[5, 0], [6, 1]]), np.array([[7, 0]])]
    for parts in (single, pair, single[:1]):
        back = split(join(parts), len(parts))
        assert [part.tolist() for part in back] == [part.tolist() for part in parts]
    for wrong in ([], [2], [3, 1, 5, 6, 7], [-1, 4, 5, 6, 7]):
        with pytest.raises(ValueError, match="tokenizers"):
            split(np.array(wrong, dtype=np.int32), 2)


def test_it_is_loaded_by_its_folder(cascade: Artifact, by_hand: tuple[np.ndarray, np.ndarray]):
    labels = [cascade.task.labels[i] for i in by_hand[1].argmax(axis=1)]
    assert [prediction.label for prediction in leanformer.load(cascade.path, threads=1).predict(TEXTS)] == labels
    with pytest.raises(TypeError, match="list"):
        leanformer.load(cascade.path).predict("goal match")


def test_a_server_reads_and_answers_as_it_does(cascade: Artifact, by_hand: tuple[np.ndarray, np.ndarray]):
    """The front makes the rows, a worker scores them."""
    model = open_model("cascade", 0, str(cascade.path))
    worker = open_tuned(open_artifact(cascade.path), tuning=True)
    rows = model.read_now(Query(TEXTS, truncate=True)).rows
    np.testing.assert_allclose(worker.infer(rows), by_hand[1], atol=1e-5)
    alone = np.concatenate([worker.infer([row]) for row in rows])
    np.testing.assert_allclose(alone, by_hand[1], atol=1e-5)


def test_its_stability_is_measured_in_two_ways(cascade: Artifact, tmp_path: Path):
    assert set(ways_of(cascade, open_predictor(cascade, threads=1), tmp_path)) == {
        "one text at a time",
        "in another batch",
    }


def test_three_members(tmp_path: Path, members: list[Artifact]):
    three = [*members, make_onnx(tmp_path / "third", seed=21)[1]]
    values = [logits(exact(member), TEXTS) for member in three]
    medians = tuple(float(np.median(confidence(value, "probability"))) for value in values[:2])
    plan = Plan("probability", (1.0, 1.0), medians)
    answering = plan.route(values)
    assert set(answering.tolist()) == {0, 1, 2}
    predictor = open_predictor(write_cascade(three, plan, tmp_path / "cascade"), threads=1)
    expected = np.stack(values)[answering, np.arange(len(TEXTS))]
    np.testing.assert_allclose(logits(predictor, TEXTS), expected, atol=1e-5)


def test_all_members_forget_their_words(cascade: Artifact):
    predictor = open_predictor(cascade, threads=1)
    assert isinstance(predictor, CascadePredictor)
    for _ in range(3):
        logits(predictor, TEXTS)
    caches = [member._tokenizer._words for member in predictor.members.values()]  # type: ignore[attr-defined]
    assert any(cache._known for cache in caches)
    predictor.forget_words()
    assert not any(cache._known for cache in caches)
