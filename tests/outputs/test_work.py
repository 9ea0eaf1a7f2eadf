"""Work folders of ours are taken up, also as a kill left them; those of others are left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanformer.errors import LeanformerError
from leanformer.files import _temporary
from leanformer.outputs.work import check_work

HASH = "0123456789abcdef"


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("checkpoint/state.json", "checkpoint/best.safetensors"),
        ("checkpoint/state.json", "checkpoint/hook-averaging.safetensors"),
        (f"steps/student-{HASH}/model.onnx", f"running/int8-{HASH}/checkpoint/state.json", f"cache/outputs-{HASH}/a"),
        (f"teacher-{HASH}/leanformer.json", f"measured-{HASH}.json", f"locks/student-{HASH}"),
        (f"floor/{HASH}/linear.json", "vectors/encoder/leanformer.json"),
        (f"figures/speed-{HASH}.json", "timing-ab_12/model.onnx", f"front-{HASH}.json"),
        ("checkpoint/state.json", "trials.jsonl", "trials-damaged.jsonl"),  # of a damaged journal a copy is kept
        ("checkpoint/state.json", "notes.txt", "photos/me.jpg", ".git/config"),  # theirs are not touched
    ],
)
def test_ours_is_taken_up(names: tuple[str, ...], tmp_path: Path):
    for name in names:
        (tmp_path / "work" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "work" / name).write_text("{}")
    check_work(tmp_path / "work", tmp_path / "lean")


@pytest.mark.parametrize("start", ["", '{"even', '{"event": "search", "version": 1, "space": "x"}\n{"event": "as'])
def test_a_torn_journal_is_taken_up(start: str, tmp_path: Path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "trials.jsonl").write_text(start)
    check_work(tmp_path / "work", tmp_path / "lean")


def test_what_a_kill_left_alone_in_it(tmp_path: Path):
    (tmp_path / "work").mkdir()
    with _temporary(tmp_path / "work" / "checkpoint") as half:
        half.mkdir()
        check_work(tmp_path / "work", tmp_path / "lean")
        (tmp_path / "work" / ".hidden").write_text("theirs")
        with pytest.raises(LeanformerError, match="is no work folder"):
            check_work(tmp_path / "work", tmp_path / "lean")


@pytest.mark.parametrize(
    "names",
    [
        ("thesis.txt",), (".hidden",), ("sub/photo.jpg",), ("checkpoint",), ("checkpoint/me.jpg",), ("cache/me.jpg",),
        ("checkpoint/state.json", "steps/thesis.txt"), ("trials.jsonl",), (f"latency-{HASH}.jsonl",), ("figures",),
        ("floor/plan.jpg",), ("checkpoint/state.json", "floor"), (f"running/{HASH}/thesis.txt",), ("model.onnx",),
        (f"measured-{HASH}.json/thesis.txt",), ("vectors/me.jpg",), ("choice.json",),
    ],
)  # fmt: skip
def test_theirs_is_refused(names: tuple[str, ...], tmp_path: Path):
    for name in names:
        (tmp_path / "work" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "work" / name).write_text("theirs")
    with pytest.raises(LeanformerError, match="remedy: another --work folder"):
        check_work(tmp_path / "work", tmp_path / "lean")
