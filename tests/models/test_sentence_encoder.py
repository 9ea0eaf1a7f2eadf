"""Importing an encoder: the pooling asked for, the folder's, or the fallback."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanformer.errors import CheckpointError
from leanformer.models.sentence_encoder import import_sentence_encoder
from leanformer.models.store import read_model
from tests.making.checkpoints import save_bert
from tests.making.tiny import tiny_texts

TEXTS = tiny_texts(20, seed=4)[0]


@pytest.mark.parametrize(("pooling", "fallback", "found"), [(None, "mean", "mean"), ("first", "mean", "first")])
def test_the_fallback_is_for_folders_that_do_not_say(
    pooling: str | None, fallback: str, found: str, tmp_path: Path
) -> None:
    folder = save_bert(tmp_path / "bert")
    made = import_sentence_encoder(str(folder), TEXTS, tmp_path, pooling=pooling, fallback=fallback)
    assert read_model(made).config.head.pooling == found and made.task.width == read_model(made).config.hidden
    assert made.history[0]["options"]["pooling"] == found


def test_without_any_pooling_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not say how to pool"):
        import_sentence_encoder(str(save_bert(tmp_path / "bert")), TEXTS, tmp_path)
