"""`leanformer pretrain` on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanformer.artifact import open_artifact
from tests.making.commands import Command
from tests.making.tiny import tiny_artifact, tiny_texts


@pytest.fixture
def given(tmp_path: Path) -> tuple[object, ...]:
    tiny_artifact(tmp_path / "encoder")
    (tmp_path / "a.txt").write_text("\n".join(tiny_texts(100, seed=4)[0]), encoding="utf-8")
    return "pretrain", "--like", tmp_path / "encoder", "--texts", tmp_path / "a.txt", "--output", tmp_path / "start"


def test_options_arrive_and_the_loss_is_told(command: Command, given: tuple[object, ...], tmp_path: Path) -> None:
    status, out, err = command(
        *given, "--shape", "1x16", "--steps", 5, "--batch-size", 16, "--heads", 2, "--ffn", 40, "--layer", 1,
        "--relation-heads", 1, "--initial", "random", "--max-tokens", 16, "--learning-rate", 0.001,
    )  # fmt: skip
    assert status == 0, err
    start = open_artifact(tmp_path / "start")
    entry = start.history[-1]
    assert entry["shape"] == [{"heads": 2, "ffn": 40}]
    chosen = {
        "layer": 1,
        "relation_heads": 1,
        "initial": "random",
        "max_tokens": 16,
        "learning_rate": 0.001,
        "steps": 5,
    }
    assert entry["options"] | chosen == entry["options"]
    assert out.startswith(f"{tmp_path / 'start'}: loss on held-out texts {entry['result']['loss']:.4f} (before ")
    assert "epoch 5/5" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--shape", "x384"), "shape is LAYERSxWIDTH or LAYERS, not 'x384'"),
        (("--shape", "1x16", "--objective", "magic"), "one of relations, tinybert, logits, vectors, not 'magic'"),
        (("--shape", "1x16", "--steps", 1, "--minutes", 1), "give --steps or --minutes, not both"),
        (("--shape", "1x16", "--texts", "nowhere"), "nowhere: "),
    ],
)
def test_what_is_wrong_is_refused(
    options: tuple[object, ...], message: str, command: Command, given: tuple[object, ...], tmp_path: Path
) -> None:
    status, out, err = command(*given, *options)
    assert status == 1 and out == "" and message in err and "Traceback" not in err
    assert not (tmp_path / "start").exists()
