"""Chunks through tokenizer and engine side by side: order, errors in their place, and only a few chunks held."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import leanformer.runtime.predictor as module
from leanformer.artifact import Artifact, open_artifact
from leanformer.errors import DataError
from leanformer.predictor import chunked, logits, logits_by_chunk
from leanformer.runtime.predictor import LightPredictor
from leanformer.runtime.stream import beside, spread
from tests.making.tiny import tiny_texts

TEXTS = tiny_texts(150, seed=6)[0]


@pytest.fixture(scope="module")
def artifact(tiny_onnx_artifact: Path) -> Artifact:
    return open_artifact(tiny_onnx_artifact)


def ready(value: int) -> Callable[[], int]:
    return lambda: value


def test_the_next_chunk_is_begun_before_the_present_one_is_finished() -> None:
    """A finish that waits for the next start would wait for ever if the two took turns."""
    started = [threading.Event() for _ in range(6)]

    def start(chunk: int) -> Callable[[], int]:
        started[chunk].set()
        return ready(chunk)

    def finish(chunk: int) -> int:
        assert chunk == 5 or started[chunk + 1].wait(20), f"chunk {chunk + 1} was not begun beside chunk {chunk}"
        return 10 * chunk

    assert list(beside(range(6), start, finish)) == [(index, 10 * index) for index in range(6)]


def test_a_few_chunks_are_held_and_no_more() -> None:
    read: list[int] = []

    def source() -> Iterator[int]:
        for index in range(50):
            read.append(index)
            yield index

    for number, (chunk, _) in enumerate(beside(source(), ready, lambda value: value)):
        assert chunk == number and len(read) <= number + 3


@pytest.mark.parametrize("where", ["reading", "start", "ready", "finish"])
@pytest.mark.parametrize("at", [0, 1, 2, 4])
def test_what_came_before_an_error_has_its_answers(where: str, at: int) -> None:
    def fails(stage: str, chunk: int) -> int:
        if stage == where and chunk == at:
            raise DataError(f"{stage} {chunk}")
        return chunk

    def start(chunk: int) -> Callable[[], int]:
        fails("start", chunk)
        return lambda: fails("ready", chunk)

    seen: list[int] = []
    results = beside((fails("reading", index) for index in range(5)), start, lambda value: fails("finish", value))
    with pytest.raises(DataError, match=f"{where} {at}"):
        seen.extend(chunk for chunk, _ in results)
    assert seen == list(range(at))


def test_a_consumer_may_leave() -> None:
    before = threading.active_count()
    results = beside(iter(range(10**9)), ready, lambda value: value)
    assert next(results) == (0, 0)
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_a_part_that_fails_is_done_again_as_a_whole() -> None:
    def work(items: list[int]) -> list[int]:
        for number, item in enumerate(items, start=1):
            if item < 0:
                raise DataError(f"item {number}")
        return [item + 1 for item in items]

    with ThreadPoolExecutor(3) as workers:
        assert spread(work, list(range(10)), workers, 3)() == list(range(1, 11))
        assert spread(work, [], workers, 3)() == []
        assert spread(work, [1], workers, 3)() == [2]
        with pytest.raises(DataError, match="item 9"):
            spread(work, [*range(8), -1, 4], workers, 3)()


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("remembers", [True, False])
def test_a_stream_is_its_texts(artifact: Artifact, threads: int, remembers: bool) -> None:
    predictor = LightPredictor(artifact, threads=threads)
    assert predictor._tokenizer.remembers_words
    expected = logits(predictor, TEXTS)
    if not remembers:
        predictor._tokenizer._words = None
    chunks = list(logits_by_chunk(predictor, chunked(TEXTS, 40)))
    assert [list(chunk) for chunk, _ in chunks] == [list(TEXTS[i : i + 40]) for i in range(0, 150, 40)]
    np.testing.assert_allclose(np.concatenate([values for _, values in chunks]), expected, atol=1e-5)
    assert list(logits_by_chunk(predictor, [])) == []
    assert [values.shape for _, values in predictor.stream([[], TEXTS[:1]])] == [(0, 3), (1, 3)]


def test_a_predictor_without_a_stream_takes_chunks_in_turn(artifact: Artifact) -> None:
    light = LightPredictor(artifact, threads=1)

    class Plain:
        task, tokenize, infer = light.task, light.tokenize, light.infer

    values = np.concatenate([part for _, part in logits_by_chunk(Plain(), chunked(TEXTS, 64))])  # type: ignore[arg-type]
    np.testing.assert_allclose(values, logits(light, TEXTS), atol=1e-5)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("windows", [None, 4])
def test_predict_in_chunks_is_predict(
    artifact: Artifact, threads: int, windows: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = LightPredictor(artifact, threads=threads, windows=windows)
    texts = [*TEXTS, "goal " * 50, *TEXTS[:20], "rain " * 90]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        whole = predictor.predict(texts)
        monkeypatch.setattr(module, "CHUNK", 32)
        parts = predictor.predict(texts)
    assert [str(warning.message)[:8] for warning in said] == ([] if windows else ["2 of 172"] * 2)
    for prediction, other in zip(whole, parts, strict=True):
        assert prediction.probabilities == pytest.approx(other.probabilities, abs=1e-5)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_names_the_text_in_the_whole(
    artifact: Artifact, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 32)
    predictor = LightPredictor(artifact, threads=threads)
    for ask in (predictor.predict, predictor.tokenize):
        with pytest.raises(DataError, match="text 101 has half of a surrogate pair"):
            ask([*TEXTS[:100], "\ud83d", *TEXTS[100:]])


def test_tokenizing_takes_no_more_workers_than_there_are(artifact: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokenizing and packs are jobs of the same workers: never more at once than threads."""
    predictor = LightPredictor(artifact, threads=2, pack_tokens=64)
    predictor._tokenizer._words = None
    lock, now, most = threading.Lock(), 0, 0

    def counted(work: Callable[..., object]) -> Callable[..., object]:
        def run(*arguments: object) -> object:
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
            try:
                time.sleep(0.001)
                return work(*arguments)
            finally:
                with lock:
                    now -= 1

        return run

    monkeypatch.setattr(predictor._tokenizer, "encode", counted(predictor._tokenizer.encode))
    engine = predictor._worker_engine
    monkeypatch.setattr(engine, "run", counted(engine.run))
    assert len(list(predictor.stream(chunked(TEXTS, 30)))) == 5
    assert most == 2
