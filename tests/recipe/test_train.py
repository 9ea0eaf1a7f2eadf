"""`leanformer.train`, and a run of it that was killed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leanformer.artifact import Artifact
from leanformer.data.used_texts import recorded
from leanformer.errors import LeanformerError, RecipeError
from leanformer.recipe.train import train
from tests.making.tiny import tiny_artifact, tiny_dataset

FIT = {"averaging": 0.9, "curriculum": "length", "adapter": "bitfit"}


class KilledError(BaseException):
    """Like a kill: nothing of ours catches it."""


def trained(folder: Path, output: str, **options: Any) -> Artifact:
    encoder = folder / "encoder"
    if not encoder.exists():
        tiny_artifact(encoder)
    return train(encoder, tiny_dataset(), folder / output, epochs=3, batch_size=32, threads=1, device="cpu", **options)


def test_a_killed_training_with_further_parts_is_taken_up_to_the_same_bytes(tmp_path: Path) -> None:
    said: list[str] = []
    whole = trained(tmp_path, "whole", fit=FIT, say=said.append)

    def killed(line: str) -> None:
        if line.startswith("epoch 2/3  dev"):
            raise KilledError

    with pytest.raises(KilledError):
        trained(tmp_path, "again", fit=FIT, say=killed)
    said.clear()
    again = trained(tmp_path, "again", fit=FIT, say=said.append)
    assert any(line.startswith("taken up at epoch 2") for line in said)
    assert again.content_hash == whole.content_hash
    assert not (tmp_path / "again.work").exists()


def test_what_it_was_trained_and_chosen_with_is_recorded(tmp_path: Path) -> None:
    first = trained(tmp_path, "first")
    data = tiny_dataset()
    found = recorded(first)
    assert found is not None and data.dev is not None and data.test is not None
    assert set(found.roles_of(data.dev)) <= {"dev", "train"} and None in found.roles_of(data.test)
    assert found.unknown == ("encoder",), "an encoder without a record may have seen anything"
    # A model that starts from it has its texts, too.
    fewer = replace(data, train=data.train and data.train.select(range(60, 120)))
    second = recorded(train(first, fewer, tmp_path / "second", epochs=1, threads=1, device="cpu"))
    assert second is not None and second.unknown == ("encoder",)
    assert data.train is not None and None not in second.roles_of(data.train)


def test_what_is_wrong_is_said_by_the_name_of_the_argument(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="precision is one of auto, fp32, bf16, not 'fp8'"):
        trained(tmp_path, "made", precision="fp8")
    with pytest.raises(RecipeError, match="learning_rate must be above 0"):
        trained(tmp_path, "made", learning_rate=0.0)
    with pytest.raises(LeanformerError, match=r"fit is a mapping of parts to values, .* not 'averaging'"):
        trained(tmp_path, "made", fit="averaging")


def test_an_adapter_is_named_once(tmp_path: Path) -> None:
    with pytest.raises(LeanformerError, match="the adapter is given twice"):
        trained(tmp_path, "made", fit=FIT, adapter="lora")


def test_an_amount_of_memory_is_a_part_of_the_training_and_named_once(tmp_path: Path) -> None:
    with pytest.raises(LeanformerError, match="the memory is given twice"):
        trained(tmp_path, "made", fit={"memory": "2GB"}, memory="1GB")
    with pytest.raises(LeanformerError, match=r"memory is an amount with its unit, such as 2GB or 1500MB, not '2'"):
        trained(tmp_path, "made", memory="2")
    with pytest.raises(LeanformerError, match=r"this training takes \d.* at least.*\n  remedy: --memory"):
        trained(tmp_path, "made", memory="1MB")
    made = trained(tmp_path, "made", memory="100GB")
    assert made.history[-1]["options"]["parts"] == [["memory", "100GB"]]
