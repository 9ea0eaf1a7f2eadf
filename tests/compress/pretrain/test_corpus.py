"""Raw texts from a file, or from a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanformer.compress.pretrain.corpus import read_texts
from leanformer.errors import DataError


def test_all_texts_of_a_folder_once_whatever_their_labels(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "README.md").write_text("not a text\n")
    (tmp_path / "deep" / "hidden.txt").write_text("not hashed by cache keys, so not read\n")
    (tmp_path / "a.txt").write_text("one\n\ntwo\n")
    (tmp_path / "b.jsonl").write_text('{"text": "two", "label": "x"}\n{"text": "three", "text_pair": "four"}\n')
    assert read_texts(tmp_path) == ("one", "two", "three", "four")
    assert read_texts(tmp_path / "a.txt") == ("one", "two")


def test_a_folder_without_texts_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("not a text\n")
    with pytest.raises(DataError, match=r"no file of texts in this folder\n  remedy: add \.txt files"):
        read_texts(tmp_path)
    (tmp_path / "a.txt").write_text("one\n")
    assert read_texts(tmp_path) == ("one",)


def test_a_broken_file_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n{"text": \n')
    with pytest.raises(DataError, match=r"a\.jsonl, line 2"):
        read_texts(tmp_path)
