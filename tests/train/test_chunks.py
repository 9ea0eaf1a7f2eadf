"""Arrays that are computed chunk by chunk: finished ones are taken up, damaged ones alone are computed again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leanformer.train.chunks import Chunks, Layout

BORDERS = np.array([0, 2, 5, 6])
VALUES = {
    "logits": np.arange(18, dtype=np.float32).reshape(6, 3),
    "hidden": np.arange(12, dtype=np.float16).reshape(6, 2) + 100,
}
LAYOUTS = {name: Layout(values.shape, values.dtype.str, BORDERS) for name, values in VALUES.items()}


def opened(folder: Path, said: list[str]) -> Chunks:
    return Chunks(folder, LAYOUTS, said.append)


def write(chunks: Chunks, *numbers: int) -> None:
    with chunks:
        for number in numbers:
            first, end = BORDERS[number : number + 2]
            for name, values in VALUES.items():
                chunks.write(name, first, values[first:end])
            chunks.done(number)


def test_a_run_that_was_killed_lacks_what_it_did_not_finish(tmp_path: Path):
    said: list[str] = []
    assert opened(tmp_path / "c", said).lacking(LAYOUTS) == [0, 1, 2]
    write(opened(tmp_path / "c", said), 0, 2)
    again = opened(tmp_path / "c", said)
    assert again.lacking(LAYOUTS) == [1]
    write(again, 1)
    whole = opened(tmp_path / "c", said)
    assert whole.lacking(LAYOUTS) == [] and not said
    for name, values in VALUES.items():
        np.testing.assert_array_equal(whole.array(name), values)
        np.testing.assert_array_equal(np.load(tmp_path / "c" / f"{name}.npy"), values)


def test_a_damaged_chunk_alone_is_computed_again(tmp_path: Path):
    said: list[str] = []
    write(opened(tmp_path, said), 0, 1, 2)
    path = tmp_path / "hidden.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # within the last row
    path.write_bytes(content)
    damaged = opened(tmp_path, said)
    assert damaged.lacking(["logits"]) == [] and damaged.lacking(["hidden"]) == [2]
    assert len(said) == 1 and "hidden.npy" in said[0]
    write(damaged, 2)
    assert opened(tmp_path, said).lacking(LAYOUTS) == []


@pytest.mark.parametrize("change", ["removed", "cut", "another layout"])
def test_an_array_that_is_not_the_one_that_was_written_is_computed_again(change: str, tmp_path: Path):
    said: list[str] = []
    write(opened(tmp_path, said), 0, 1, 2)
    path = tmp_path / "logits.npy"
    if change == "removed":
        path.unlink()
    elif change == "cut":
        path.write_bytes(path.read_bytes()[:-30])
    else:
        np.save(path, VALUES["logits"].astype(np.float64))
    lacking = opened(tmp_path, said).lacking(LAYOUTS)
    assert lacking == ([1, 2] if change == "cut" else [0, 1, 2]) and said


def test_arrays_without_their_record_are_not_trusted(tmp_path: Path):
    said: list[str] = []
    write(opened(tmp_path, said), 0, 1, 2)
    (tmp_path / "done.json").unlink()
    assert opened(tmp_path, said).lacking(LAYOUTS) == [0, 1, 2] and "done.json" in said[0]


def test_what_is_forgotten_is_computed_again(tmp_path: Path):
    chunks = opened(tmp_path, [])
    write(chunks, 0, 1, 2)
    chunks.forget()
    assert opened(tmp_path, []).lacking(LAYOUTS) == [0, 1, 2]
