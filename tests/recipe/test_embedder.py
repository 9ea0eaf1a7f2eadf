"""`compress` for embedders: what is learnt from, what rungs are measured on, and what is delivered."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from leanformer.artifact import Artifact
from leanformer.errors import DataError
from leanformer.loading import load, open_predictor
from leanformer.measure.speed import SpeedSettings
from leanformer.measure.vectors import check_index, embed
from leanformer.recipe.compress import compress
from leanformer.recipe.embedder import is_embedder, near_pairs, prepare_embedder
from tests.export.test_embedder import checkpoint
from tests.making.graphs import make_embedder
from tests.making.tiny import tiny_artifact, tiny_texts
from tests.measure.test_collection import collection

TEXTS = tuple(dict.fromkeys(tiny_texts(250, seed=8)[0]))
QUICK = SpeedSettings(rounds=1, latency_texts=3, seconds=0.05)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return make_embedder(tmp_path_factory.mktemp("teacher"))[0]


def file_of(folder: Path, texts: tuple[str, ...] = TEXTS) -> Path:
    (folder / "texts.txt").write_text("\n".join(texts))
    return folder / "texts.txt"


@pytest.mark.slow
def test_a_student_is_made_measured_and_delivered(teacher: Artifact, tmp_path: Path):
    options = {
        "student.shape": "1", "student.steps": 20, "student.learning_rate": 5e-3, "student.batch_size": 16,
        "teacher-int8.max_mean_share": 1.0, "student-int8.max_mean_share": 1.0,
    }  # fmt: skip
    result = compress(
        teacher, file_of(tmp_path), tmp_path / "lean", recipe="embedder", options=options, max_drop=200, goal="size",
        threads=1, device="cpu", speed=QUICK, memory=False, say=lambda line: None,
    )  # fmt: skip
    rungs = {rung.name: rung for rung in result.report.rungs}
    assert {"our ONNX graph", "int8 (teacher)", "distilled", "int8"} <= {*rungs}
    assert rungs["our ONNX graph"].quality == pytest.approx(1, abs=1e-3), "the teacher agrees with itself"
    assert 0.3 < rungs["distilled"].quality < 0.999
    assert rungs["int8"].metric == "Spearman correlation with the teacher"
    assert result.within and result.artifact.content_hash == rungs["int8"].content_hash
    assert result.artifact.task == teacher.task, "it gives vectors, not scores of pairs"
    check_index(result.artifact, teacher)
    assert len(load(result.artifact.path, threads=1).predict(["a song"])[0].vector) == 32
    assert "Answer: a vector" in (tmp_path / "lean" / "README.md").read_text()


def test_texts_are_set_aside_and_pairs_have_the_teachers_cosines(teacher: Artifact, tmp_path: Path):
    found = prepare_embedder(str(teacher.path), file_of(tmp_path), tmp_path / "work")
    dev, test, texts = found.pairs.dev, found.pairs.test, found.texts.unlabelled
    assert dev is not None and test is not None and texts is not None
    size = len(TEXTS) // 5
    assert (len(dev), len(test), len(texts)) == (size, size, len(TEXTS) - 2 * size)
    parts = [{text for pair in examples.inputs for text in pair} for examples in (dev, test)]
    assert not parts[0] & parts[1] and not (parts[0] | parts[1]) & {*texts.inputs}
    first, second = (embed(open_predictor(teacher, threads=1), list(side)) for side in zip(*dev.inputs, strict=True))
    np.testing.assert_allclose(dev.targets, (first * second).sum(axis=1), atol=1e-5)


def test_pairs_lie_near_and_far():
    vectors = np.random.default_rng(1).normal(size=(200, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    partners, cosines = near_pairs(vectors, seed=3)
    assert (partners != np.arange(200)).all()
    np.testing.assert_allclose(cosines, (vectors * vectors[partners]).sum(axis=1))
    ranks = ((vectors @ vectors.T > cosines[:, None] + 1e-12).sum(axis=1)) - 1  # the text itself is nearer
    assert ranks.min() == 0 and 90 < ranks.max() < 199
    assert 0.3 < (ranks < 14).mean() < 0.7, "as many below the root of their number as above"


def test_pairs_with_scores_are_measured_on(teacher: Artifact, tmp_path: Path):
    def rows(texts: tuple[str, ...]) -> str:
        pairs = zip(texts[::2], texts[1::2], strict=False)
        return "".join(json.dumps({"text": a, "text_pair": b, "label": len(a) / 9}) + "\n" for a, b in pairs)

    spelled = (*TEXTS[:119], TEXTS[145].upper())
    for name, part in (("train", spelled), ("dev", TEXTS[110:140]), ("test", TEXTS[140:170])):
        (tmp_path / f"{name}.jsonl").write_text(rows(part))
    found = prepare_embedder(str(teacher.path), tmp_path, tmp_path / "work")
    assert found.metric == "Spearman correlation" and found.pairs.test is not None and len(found.pairs.test) == 15
    assert found.texts.unlabelled is not None
    assert found.texts.unlabelled.texts == TEXTS[:110], "texts of dev and test are not learnt from"


@pytest.mark.parametrize("kind", ["folder", "collection", "labels"])
def test_other_data_are_read_for_their_texts(teacher: Artifact, tmp_path: Path, kind: str):
    place = tmp_path / kind
    place.mkdir()
    if kind == "folder":
        (place / "one.txt").write_text("\n".join(TEXTS[:60]))
        (place / "two.txt").write_text("\n".join(TEXTS[60:]))
    elif kind == "collection":
        collection(place, [{"_id": str(number), "text": text} for number, text in enumerate(TEXTS)])
    else:
        rows = [json.dumps({"text": text, "label": "ab"[number % 2]}) + "\n" for number, text in enumerate(TEXTS)]
        (place / "train.jsonl").write_text("".join(rows))
    found = prepare_embedder(str(teacher.path), place, tmp_path / "work")
    assert found.texts.unlabelled is not None and found.pairs.dev is not None
    assert len(found.texts.unlabelled) + 2 * len(found.pairs.dev) == len(TEXTS)


def test_few_texts_are_refused(teacher: Artifact, tmp_path: Path):
    with pytest.raises(DataError, match="49 different texts to learn from; at least 50") as caught:
        prepare_embedder(str(teacher.path), file_of(tmp_path, TEXTS[:49]), tmp_path / "work")
    assert "give more texts" in caught.value.remedy


def test_a_folder_of_sentence_transformers_is_taken_in_once(tmp_path: Path):
    folder = checkpoint(tmp_path / "model", pooling_mode_cls_token=True)
    assert is_embedder(str(folder)) and not is_embedder(str(tmp_path / "nowhere"))
    assert not is_embedder(str(tiny_artifact(tmp_path / "labelled").path))
    first, again = (prepare_embedder(str(folder), file_of(tmp_path), tmp_path / "work").teacher for _ in range(2))
    assert first.task.kind == "embedding" and first.path == again.path and first.path.parent == tmp_path / "work"
