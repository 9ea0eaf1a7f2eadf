"""A work folder that was damaged: nothing of it is taken up unseen, and the end is the same, bit for bit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from leanformer.artifact import Artifact
from leanformer.errors import CheckpointError
from leanformer.shapes.encoder import LayerShape
from leanformer.train import teaching
from leanformer.train.teacher_outputs import TeacherOutputs, teacher_outputs
from tests.making.damage import DAMAGES
from tests.making.tagged import tagged_examples, tagger_artifact
from tests.making.tiny import tiny_artifact, tiny_classifier, tiny_config, tiny_dataset
from tests.making.trainings import KilledError, Run, equal

REMOVED: Callable[[Path], None] = Path.unlink
EVERY = DAMAGES | {"removed": REMOVED}


# ---- checkpoints -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stopped:
    """A run that nobody interrupted, and the folder of one that was, in its second epoch."""

    whole: dict[str, torch.Tensor]
    scores: tuple[float, ...]
    folder: Path


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    run = Run(tmp_path_factory.mktemp("whole"))
    result = run.fit()
    killed = Run(tmp_path_factory.mktemp("killed"))

    def die(line: str) -> None:
        killed.said.append(line)
        if len(killed.said) == 13:
            raise KilledError

    with pytest.raises(KilledError):
        killed.fit(say=die)
    return Stopped(run.weights(), result.scores, killed.folder)


FILES = ("state.json", "model.safetensors", "optimizer.safetensors", "best.safetensors", "random.safetensors")


def test_these_are_all_files_of_a_checkpoint(stopped: Stopped):
    assert sorted(path.name for path in stopped.folder.iterdir()) == sorted(FILES)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(
    "name",
    [
        "a bit",
        "removed",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("emptied", "a third", "all but a byte", "zeros")),
    ],
)
def test_a_damaged_checkpoint(file: str, name: str, stopped: Stopped, tmp_path: Path):
    run = Run(tmp_path)
    shutil.copytree(stopped.folder, run.folder)
    EVERY[name](run.folder / file)
    result = run.fit()
    assert run.said[0].startswith(f"warning: {run.folder / file}: ")
    assert run.said[0].endswith("; this training begins again")
    assert len(run.said) == 1 + 27
    assert result.scores == stopped.scores
    assert equal(run.weights(), stopped.whole)


def test_a_whole_checkpoint_is_taken_up(stopped: Stopped, tmp_path: Path):
    run = Run(tmp_path)
    shutil.copytree(stopped.folder, run.folder)
    run.fit()
    assert run.said[0].startswith("taken up at epoch 2")
    assert equal(run.weights(), stopped.whole)


# ---- teacher outputs -------------------------------------------------------------------------------------------------

TEXTS = tiny_dataset().unlabelled.texts  # type: ignore[union-attr]
WANTED: dict[str, Any] = {"hidden": (0, 2), "attention": (1,)}
ARRAYS = ("logits.npy", "hidden_0.npy", "hidden_2.npy", "attention_1.npy")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    config = tiny_config(layers=(LayerShape(4, 48), LayerShape(2, 20)))
    return tiny_artifact(tmp_path_factory.mktemp("teacher") / "a", config=config)


def bits(outputs: TeacherOutputs) -> list[bytes]:
    """All that was computed."""
    arrays = [*outputs.hidden.values(), *outputs.attention.values()]
    return [
        np.concatenate(list(map(np.ravel, outputs.logits))).tobytes(),
        *(np.asarray(array).tobytes() for array in arrays),
    ]


@pytest.fixture(scope="module")
def whole_cache(teacher: Artifact, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bytes]]:
    """A cache in nine chunks, and what is in it. Read only."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teaching, "CHUNK_ROWS", 7)
        contents = bits(teacher_outputs(teacher, TEXTS, cache=cache, **WANTED))
    [folder] = cache.iterdir()
    return folder, contents


@pytest.fixture
def computed(
    whole_cache: tuple[Path, list[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, list[bytes]]:
    """A copy of it that may be damaged."""
    monkeypatch.setattr(teaching, "CHUNK_ROWS", 7)
    folder, contents = whole_cache
    return shutil.copytree(folder, tmp_path / folder.name), contents


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "name"),
    [
        *((file, name) for file in (*ARRAYS, "done.json", "about.json") for name in EVERY),
        ("complete", "removed"),  # it is empty; that it is there is all it says
    ],
)
def test_damaged_outputs(file: str, name: str, computed: tuple[Path, list[bytes]], teacher: Artifact):
    folder, expected = computed
    EVERY[name](folder / file)
    said: list[str] = []
    assert bits(teacher_outputs(teacher, TEXTS, cache=folder.parent, say=said.append, **WANTED)) == expected
    if file in ARRAYS and name != "longer":
        assert said[0].startswith(f"warning: {folder / file}: ")
        assert said[-1].startswith("teacher outputs: ")
    again: list[str] = []
    assert bits(teacher_outputs(teacher, TEXTS, cache=folder.parent, say=again.append, **WANTED)) == expected
    assert again == [], "what was mended is whole"


def test_only_the_damaged_chunks_are_computed_again(computed: tuple[Path, list[bytes]], teacher: Artifact):
    folder, expected = computed
    with open(folder / "hidden_2.npy", "rb+") as file:
        file.seek(-5, 2)
        file.write(b"\x55")
    DAMAGES["nine tenths"](folder / "logits.npy")
    said: list[str] = []
    assert bits(teacher_outputs(teacher, TEXTS, cache=folder.parent, say=said.append, **WANTED)) == expected
    assert [line.split(": ")[1] for line in said[:2]] == [str(folder / "logits.npy")] or len(said) <= 5
    assert said[-1] == "teacher outputs: 60 of 60 texts" and 1 <= sum(line.startswith("teacher") for line in said) <= 3


@pytest.mark.parametrize("file", ARRAYS)
def test_damage_before_the_end_of_a_killed_run(
    file: str, computed: tuple[Path, list[bytes]], teacher: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _, expected = computed
    done = iter(range(5))
    original = teaching.Teaching.compute

    def dying(self: Any, chunk: int, into: Any) -> int:
        if next(done, None) is None:
            raise KilledError
        return original(self, chunk, into)

    with monkeypatch.context() as patch:
        patch.setattr(teaching.Teaching, "compute", dying)
        with pytest.raises(KilledError):
            teacher_outputs(teacher, TEXTS, cache=tmp_path / "again", **WANTED)
    [folder] = (tmp_path / "again").iterdir()
    DAMAGES["bits"](folder / file)
    said: list[str] = []
    assert bits(teacher_outputs(teacher, TEXTS, cache=tmp_path / "again", say=said.append, **WANTED)) == expected


def test_of_a_larger_set_a_part_is_mended_as_a_part_of_it(computed: tuple[Path, list[bytes]], teacher: Artifact):
    """Logits alone are computed in another way than with states, and differ in their last bits."""
    folder, expected = computed
    part = {"attention": (1,)}
    assert bits(teacher_outputs(teacher, TEXTS, cache=folder.parent, **part))[0] == expected[0]
    DAMAGES["zeros"](folder / "logits.npy")
    assert bits(teacher_outputs(teacher, TEXTS, cache=folder.parent, **part))[0] == expected[0]
    assert bits(teacher_outputs(teacher, TEXTS, cache=folder.parent, **WANTED)) == expected


@pytest.mark.parametrize("name", ["zeros", "a third", "removed", "bits"])
def test_damaged_outputs_of_a_tagger(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whose answers are those of words, in windows that reach over chunks, with words that no token is left of."""
    monkeypatch.setattr(teaching, "CHUNK_ROWS", 5)
    tagger = tagger_artifact(tmp_path / "tagger", max_tokens=8)
    texts = [*tagged_examples(20, 3).texts, "\x01 \x02", "the \x01 goal", "", "\x01 goal"]
    expected = bits(teacher_outputs(tagger, texts, cache=tmp_path / "cache", hidden=(1,)))
    [folder] = (tmp_path / "cache").iterdir()
    for file in ("logits.npy", "hidden_1.npy"):
        EVERY[name](folder / file)
        said: list[str] = []
        assert bits(teacher_outputs(tagger, texts, cache=tmp_path / "cache", hidden=(1,), say=said.append)) == expected
        assert str(folder / file) in said[0]


# ---- states that fp16 cannot hold ------------------------------------------------------------------------------------


def loud(folder: Path, size: float, layer: int = 0) -> Artifact:
    """A teacher whose states behind a layer are larger by `size`."""
    model = tiny_classifier(tiny_config(layers=(LayerShape(4, 48), LayerShape(4, 48))), seed=1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if f"layers.{layer}." in name and "norm" in name and name.endswith(("weight", "bias")):
                parameter.mul_(size)
    return tiny_artifact(folder, model=model)


def test_states_beyond_fp16_are_kept_in_fp32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(teaching, "CHUNK_ROWS", 7)
    teacher, said = loud(tmp_path / "a", 1e5), list[str]()
    found = teacher_outputs(teacher, TEXTS, cache=tmp_path / "cache", hidden=(0, 1), say=said.append)
    assert [found.hidden[i].dtype.name for i in (0, 1)] == ["float16", "float32"]
    assert np.isfinite(found.hidden[1]).all() and np.abs(found.hidden[1]).max() > 65504
    assert "hidden_1: beyond the range of fp16, kept in fp32" in said[0]
    again: list[str] = []
    taken = teacher_outputs(teacher, TEXTS, cache=tmp_path / "cache", hidden=(0, 1), say=again.append)
    assert bits(taken) == bits(found) and again == []
    assert torch.isfinite(taken.hidden_block(1, np.arange(5), 32)).all()
    [folder] = (tmp_path / "cache").iterdir()
    for file in ("about.json", "hidden_1.npy"):
        DAMAGES["bits"](folder / file)
        assert bits(teacher_outputs(teacher, TEXTS, cache=tmp_path / "cache", hidden=(0, 1))) == bits(found)


@pytest.mark.parametrize("size", [1e3, 3e4])
def test_states_within_fp16_are_kept_in_fp16(size: float, tmp_path: Path):
    found = teacher_outputs(loud(tmp_path / "a", size), TEXTS, cache=tmp_path / "cache", hidden=(1,))
    assert found.hidden[1].dtype == np.float16 if np.abs(found.hidden[1]).max() <= 65504 else np.float32
    assert np.isfinite(found.hidden[1]).all()


def test_states_that_are_not_finite_are_refused_by_name(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"a: the teacher's hidden state 1 is not finite.*\n  remedy: "):
        teacher_outputs(loud(tmp_path / "a", 1.5e38), TEXTS, cache=tmp_path / "cache", hidden=(1,))
