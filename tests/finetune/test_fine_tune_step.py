"""`train.fine_tune` as a step: of an artifact, and of another encoder."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanformer.artifact import Artifact
from leanformer.finetune.fine_tune import FineTune, fine_tune
from leanformer.options import options
from tests.making.graphs import make_context
from tests.making.tiny import tiny_artifact

SMALL = {"epochs": 1, "batch_size": 32, "precision": "fp32"}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return tiny_artifact(tmp_path_factory.mktemp("encoder") / "encoder")


def test_the_step_and_the_function_make_the_same_model(encoder: Artifact, tmp_path: Path):
    step = FineTune(**SMALL)
    context = make_context(tmp_path, encoder)
    made = step(encoder, context, tmp_path / "step")
    other = fine_tune(
        str(encoder.path), context.data, tmp_path / "function", step.settings(context.seed),
        max_tokens=encoder.max_tokens, work=tmp_path / "w", device=context.device, say=context.say,
    )  # fmt: skip
    assert made.content_hash == other.content_hash != encoder.content_hash
    assert made.history[-1]["options"] == options(step) and made.history[-1]["parent"] == encoder.content_hash
    assert other.history[-1]["options"]["encoder"] == "encoder" and other.history[-1]["parent"] is None
    assert (other.path / "training.json").exists() and not (made.path / "training.json").exists()


def test_another_encoder_takes_the_place_of_what_it_is_given(encoder: Artifact, tmp_path: Path):
    other = tiny_artifact(tmp_path / "other", seed=7)
    context = make_context(tmp_path, encoder)
    from_other = FineTune(encoder=str(other.path), **SMALL)(encoder, context, tmp_path / "a")
    assert from_other.content_hash == FineTune(**SMALL)(other, context, tmp_path / "b").content_hash
