"""`leanformer train`: parts of the training on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanformer.artifact import open_artifact
from tests.making.commands import Command
from tests.making.tiny import tiny_artifact


def test_parts_are_given_by_name_and_recorded(command: Command, folder: Path, tmp_path: Path) -> None:
    encoder = tiny_artifact(tmp_path / "encoder").path
    status, _, err = command(
        "train", folder, "--encoder", encoder, "--output", tmp_path / "made", "--epochs", 1, "--max-tokens", 32,
        "--fit", "averaging=0.9", "--fit", "curriculum=length", "--adapter", "lora",
    )  # fmt: skip
    assert status == 0, err
    options = open_artifact(tmp_path / "made").history[-1]["options"]
    assert options["parts"] == [["averaging", 0.9], ["curriculum", "length"], ["adapter", "lora"]]
    assert options["learning_rate"] == 5e-4, "the adapter's own"


def test_an_amount_of_memory_is_told_about_and_kept_to(command: Command, folder: Path, tmp_path: Path) -> None:
    encoder = tiny_artifact(tmp_path / "encoder").path
    told = ("train", folder, "--encoder", encoder, "--output", tmp_path / "made", "--epochs", 1, "--max-tokens", 32)
    status, out, err = command(*told, "--memory", "1MB")
    assert status == 1 and "this training takes" in err and "remedy: --memory" in err
    enough = err.split("remedy: --memory ")[1].split(",")[0]
    status, out, err = command(*told, "--memory", enough)
    assert status == 0, err
    assert f"memory {enough}: blocks of" in out + err and "a peak of about" in out + err


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("averaging=2", "averaging is a decay above 0 and below 1"),
        ("averaging", "--fit averaging: write --fit NAME=VALUE"),
        ("adapter=[", "--fit adapter=[: not valid YAML"),
        ("adapter=houlsby", "adapter is one of bitfit, lora, dora, ia3, not 'houlsby'"),
        ("warp=9", "no part 'warp'\n  remedy: one of averaging, curriculum, adapter, layer_drop, uncertainty"),
        ("uncertainty=true", "fine-tuning has one\n  remedy: leave `uncertainty` out"),
    ],
)
def test_a_wrong_part_is_refused(part: str, message: str, command: Command, folder: Path, tmp_path: Path) -> None:
    encoder = tiny_artifact(tmp_path / "encoder").path
    status, _, err = command(
        "train", folder, "--encoder", encoder, "--output", tmp_path / "made", "--max-tokens", 32, "--fit", part
    )
    assert status == 1 and message in err and not (tmp_path / "made").exists()
    assert "training texts" not in err, "it is refused before the fit begins"
