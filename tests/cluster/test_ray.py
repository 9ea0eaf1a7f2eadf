"""A local Ray with two workers, one of them killed in mid-run: nothing is lost, and nothing is there twice."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leanformer.answers.prediction import to_record
from leanformer.artifact import open_artifact
from leanformer.bulk import Tally, numbered
from leanformer.cluster.connection import connected, slots
from leanformer.cluster.parts import begin, part_path, parts_folder, write_part
from leanformer.cluster.scoring import Scored, score_file
from leanformer.cluster.trials import EndedTrial, result_path, run_trials, trials_as_they_finish
from leanformer.errors import LeanformerError, MissingExtraError
from leanformer.loading import open_predictor
from leanformer.predictor import answers
from tests.cluster.killing import Killer
from tests.cluster.working import NOT_CALLABLE
from tests.making.tiny import tiny_texts

SQUARE = "tests.cluster.working:square"
ENGINES = ("onnxruntime, fp32: the native engine runs int8 graphs alone",)
# Every row is another text, so that one that is lost or there twice is seen.
TEXTS = [f"{text} {index}" for index, text in enumerate(tiny_texts(150, seed=4)[0] * 80)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    pytest.importorskip("ray")
    with connected("local", local_cores=2) as ray:
        yield ray


def score(artifact: Path, output: Path, texts: list[str], rows: int) -> Scored:
    opened = open_artifact(artifact)
    return score_file(
        artifact, opened.content_hash, lambda: numbered(texts), output,
        source="of these texts", address="local", local_cores=2, rows=rows,
    )  # fmt: skip


def expected(artifact: Path, texts: list[str]) -> list[dict[str, Any]]:
    found = answers(open_predictor(artifact, threads=1), texts)
    return [to_record(text, answer) for text, answer in zip(texts, found, strict=True)]


@pytest.mark.slow
def test_bulk_scoring_survives_a_killed_worker(cluster: Any, tiny_onnx_artifact: Path, tmp_path: Path):
    output = tmp_path / "out.jsonl"
    parts = parts_folder(output)
    with Killer(b"ray::_score_part", lambda: len(list(parts.glob("part-*"))) >= 3) as killer:
        done = score(tiny_onnx_artifact, output, TEXTS, rows=300)
    assert killer.killed is not None, "no worker was killed in mid-run, so this has shown nothing"
    assert done == Scored(Tally(len(TEXTS)), len(TEXTS) // 300, 0, ENGINES)
    records = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert [record["text"] for record in records] == TEXTS
    for ours, theirs in zip(records, expected(tiny_onnx_artifact, TEXTS), strict=True):
        assert ours["probabilities"] == pytest.approx(theirs["probabilities"], abs=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


@pytest.mark.slow
def test_finished_parts_are_not_done_again(cluster: Any, tiny_onnx_artifact: Path, tmp_path: Path):
    """Part 0 was finished with marked answers, part 1 is of no use, part 2 has still to be done."""
    output, texts = tmp_path / "out.jsonl", TEXTS[:25]
    folder = parts_folder(output)
    content = open_artifact(tiny_onnx_artifact).content_hash
    begin(folder, {"input": "of these texts", "artifact": content, "rows": 10, "kept": {}})
    lines = [json.dumps({"row": row, "text": text, "label": "done before"}) for row, text in enumerate(texts, 1)]
    write_part(part_path(folder, 0), lines[:10])
    write_part(part_path(folder, 1), [line.replace("done before", "cut short") for line in lines[10:13]])
    assert score(tiny_onnx_artifact, output, texts, rows=10) == Scored(Tally(25), 3, 1, ENGINES)
    records = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert [record["text"] for record in records] == texts
    assert Counter(record["label"] == "done before" for record in records) == {True: 10, False: 15}
    assert all(record["label"] != "cut short" for record in records)


@pytest.mark.slow
def test_what_a_worker_says_reaches_the_user(cluster: Any, tiny_onnx_artifact: Path, tmp_path: Path):
    with pytest.raises(LeanformerError, match=r"part 0: .*another model on this machine"):
        score_file(
            tiny_onnx_artifact, "0" * 64, lambda: numbered(TEXTS[:5]), tmp_path / "out.jsonl",
            source="x", address="local", local_cores=2,
        )  # fmt: skip
    assert not (tmp_path / "out.jsonl").exists()


def trials(
    descriptions: list[dict[str, Any]], tmp_path: Path, function: str = SQUARE, **changes: Any
) -> list[EndedTrial]:
    given = [{"notes": str(tmp_path), **description} for description in descriptions]
    return run_trials(given, function, tmp_path / "results", address="local", local_cores=2, **changes)


def attempts(tmp_path: Path, x: int) -> int:
    return len((tmp_path / f"attempts-{x}").read_text(encoding="utf-8").split())


@pytest.mark.slow
def test_a_trial_whose_worker_dies_is_done_again_and_counts_once(cluster: Any, tmp_path: Path):
    given = [{"x": x, "dies": "once" if x == 2 else "never"} for x in range(8)]
    done = trials(given, tmp_path)
    assert [trial.number for trial in done] == list(range(8))
    assert [trial.result for trial in done] == [{"square": x * x} for x in range(8)]
    assert attempts(tmp_path, 2) == 2 and sum(attempts(tmp_path, x) for x in range(8)) >= 9
    assert len(list((tmp_path / "results").iterdir())) == 8
    again = trials(given, tmp_path)
    assert all(trial.resumed for trial in again) and [trial.result for trial in again] == [
        trial.result for trial in done
    ]
    assert attempts(tmp_path, 2) == 2
    # What is there and is no result is done again.
    result_path(tmp_path / "results", done[3].description).write_text("{", encoding="utf-8")
    assert [trial.resumed for trial in trials(given, tmp_path)] == [x != 3 for x in range(8)]


@pytest.mark.slow
def test_a_trial_that_fails_says_why_and_stops_nobody(cluster: Any, tmp_path: Path):
    given = [{"x": 1, "dies": "fails"}, {"x": 2}, {"x": 3, "dies": "always"}]
    done = trials(given, tmp_path, retries=1)
    assert done[0].error == "ValueError: this one cannot be done" and attempts(tmp_path, 1) == 1
    assert done[1].result == {"square": 4} and done[1].error is None
    assert done[2].error is not None and "died 2 times" in done[2].error and attempts(tmp_path, 3) == 2
    assert len(list((tmp_path / "results").iterdir())) == 1, "a failed trial leaves no result"
    (odd,) = trials([{"x": 4}], tmp_path, "tests.cluster.working:no_json")
    assert odd.result is None and "not JSON compliant" in str(odd.error)


@pytest.mark.slow
def test_descriptions_are_made_from_results(cluster: Any, tmp_path: Path):
    """Ask and tell: no more is asked than can begin, and all that finished has been told by then."""
    told: list[int] = []
    known: list[int] = []

    def ask() -> Iterator[dict[str, Any]]:
        for x in range(6):
            known.append(len(told))
            yield {"notes": str(tmp_path), "x": x}

    found = trials_as_they_finish(ask(), SQUARE, tmp_path / "results", address="local", local_cores=2)
    for trial in found:
        told.append(trial.number)
    assert sorted(told) == list(range(6))
    assert all(asked - before <= 2 for asked, before in enumerate(known, start=1)), "two run at once, no more"


@pytest.mark.slow
def test_more_cores_than_there_are_are_refused(cluster: Any, tmp_path: Path):
    assert slots(cluster, 1) == 2 and slots(cluster, 2) == 1
    with pytest.raises(LeanformerError, match="takes 3 cores"):
        trials([{"x": 1}], tmp_path, cores_per_trial=3)


def test_a_cluster_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch):
    class Ray:
        @staticmethod
        def is_initialized() -> bool:
            return False

        @staticmethod
        def init(**_: object) -> None:
            raise ConnectionError("nobody listens\nat all")

    monkeypatch.setitem(sys.modules, "ray", Ray)
    with (
        pytest.raises(LeanformerError, match=r"no Ray cluster is reached there \(nobody listens\)"),
        connected("10.0.0.1:6379", local_cores=2),
    ):
        pass


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"leanformer\[cluster\]"):
        trials([{"x": 1}], tmp_path)


@pytest.mark.parametrize("name", ["square", "no.such.module:f", "tests.cluster.working:nobody", ":f"])
def test_a_function_that_is_none_is_refused(tmp_path: Path, name: str):
    with pytest.raises(LeanformerError, match="module:function"):
        trials([{"x": 1}], tmp_path, name)


def test_what_is_no_function_is_refused(tmp_path: Path):
    assert NOT_CALLABLE == 3
    with pytest.raises(LeanformerError, match="is no function"):
        trials([{"x": 1}], tmp_path, "tests.cluster.working:NOT_CALLABLE")
