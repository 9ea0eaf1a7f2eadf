"""What an error says: the place, the problem and the remedy, also when it comes from another process."""

from __future__ import annotations

import pickle
from importlib.machinery import ModuleSpec

import pytest

from leanformer import errors
from leanformer.errors import (
    ArtifactError,
    CheckpointError,
    DataError,
    LeanformerError,
    MissingCompilerError,
    MissingExtraError,
    TokenizerFileError,
    need_torch,
)


def test_a_data_error_says_where_what_and_how_to_mend_it():
    assert str(DataError("no text")) == "no text"
    assert str(DataError("no text", path="a.csv")) == "a.csv: no text"
    assert str(DataError("no text", path="a.csv", line=3, remedy="add one")) == (
        "a.csv, line 3: no text\n  remedy: add one"
    )


@pytest.mark.parametrize(
    "error",
    [
        DataError("no text", path="a.csv", line=3, remedy="add one"),
        TokenizerFileError("t.json", "is empty"),
        MissingExtraError("training", "train"),
        MissingCompilerError("the engine"),
    ],
)
def test_an_error_of_another_process_is_the_same_here(error: LeanformerError):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and str(again) == str(error) and vars(again) == vars(error)


def test_a_tokenizer_file_is_wrong_for_artifacts_and_checkpoints_alike():
    error = TokenizerFileError("t.json", "is empty")
    assert isinstance(error, ArtifactError) and isinstance(error, CheckpointError)
    assert str(error).startswith("t.json: is empty\n  remedy: ")


def test_what_is_not_installed_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch):
    there = {"torch", "transformers", "safetensors", "onnx"}
    monkeypatch.setattr(errors, "find_spec", lambda name: ModuleSpec(name, None) if name in there else None)
    need_torch("training")
    there.remove("onnx")
    with pytest.raises(MissingExtraError, match=r"training needs more .*\n  remedy: pip install 'leanformer\[train\]'"):
        need_torch("training")
    assert "pip install" not in str(MissingCompilerError("the engine")) and "g++" in str(MissingCompilerError("x"))
