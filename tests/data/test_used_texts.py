"""The record of the texts that a model was made with: what is known again, and how the file is kept."""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from leanformer.artifact import USED_TEXTS, open_artifact
from leanformer.data.examples import Examples
from leanformer.data.used_texts import UsedTexts, attach, inherited, recorded, text_hashes
from leanformer.errors import ArtifactError
from leanformer.task import Task
from tests.making.tiny import TASK, tiny_artifact, tiny_dataset

PAIRS = Task("pair", ("no", "yes"))


def examples(*texts: str) -> Examples:
    return Examples(TASK, texts, None)


def test_a_hash_is_the_beginning_of_the_sha256_of_the_normalised_text():
    expected = hashlib.sha256("a caf\u00e9".encode()).digest()[:8]
    assert text_hashes(examples("A  CAF\u00c9 ")).astype("<u8").tobytes() == expected


def test_other_spellings_of_a_text_are_known_again():
    used = UsedTexts.of(train=examples("The \ufb01rst caf\u00e9", "another"), dev=examples("chosen by", "another"))
    asked = [
        "the first  CAFE\u0301", unicodedata.normalize("NFD", "The first caf\u00e9"), "Another", " chosen by", "new"
    ]  # fmt: skip
    assert used.roles_of(examples(*asked)) == ["train", "train", "train", "dev", None]


def test_a_pair_counts_as_used_in_either_order():
    used = UsedTexts.of(dev=Examples(PAIRS, ("a",), (0,), ("b",)))
    asked = Examples(PAIRS, ("a", "b", "a", "ab"), None, ("b", "a", "c", ""))
    assert used.roles_of(asked) == ["dev", "dev", None, None]


def test_a_text_used_on_its_own_makes_its_pairs_used_if_they_are_taken_apart():
    pairs = Examples(Task("similarity", ()), ("One", "two", "three"), None, ("four", "five", "six"))
    record = UsedTexts.of(unlabelled=examples("one", "five"))
    assert record.roles_of(pairs) == [None] * 3
    assert record.roles_of(pairs, apart=True) == ["unlabelled", "unlabelled", None]


def test_two_records_make_one_with_every_text_once():
    one, other = UsedTexts.of(train=examples("a", "b")), UsedTexts({}, ("x",)) | UsedTexts.of(train=examples("b", "c"))
    both = one | other
    assert len(both.roles["train"]) == 3 and both.unknown == ("x",)
    assert both.roles_of(examples("a", "b", "c", "d")) == ["train"] * 3 + [None]


def test_what_is_written_is_read_again():
    used = UsedTexts.of(train=examples("a", "b", "a"), dev=examples()) | UsedTexts(unknown=("a model",))
    content = used.to_bytes()
    line = json.loads(content.split(b"\n")[0])
    assert line["roles"] == {"train": 2, "dev": 0} and len(content.split(b"\n", 1)[1]) == 16
    again = UsedTexts.from_bytes(content)
    assert again.unknown == ("a model",) and np.array_equal(again.roles["train"], used.roles["train"])
    assert UsedTexts.from_bytes(UsedTexts().to_bytes()).roles == {}


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: content.replace(b'"train": 2', b'"train": 1'),
        lambda content: content.replace(b'"train"', b'"taste"'),
        lambda content: content.replace(b'texts": 1', b'texts": 9'),
        lambda content: b"",
        lambda content: content.replace(b"{", b"{" + b" " * (8 << 20), 1),
    ],
)
def test_damage_is_seen(damage):
    with pytest.raises(ValueError):
        UsedTexts.from_bytes(damage(UsedTexts.of(train=examples("a", "b")).to_bytes()))


def test_the_record_changes_no_content_hash_and_goes_where_the_artifact_goes(tmp_path: Path):
    bare = tiny_artifact(tmp_path / "model")
    made = attach(bare, tiny_dataset().used_texts)
    assert made.content_hash == bare.content_hash == open_artifact(tmp_path / "model").content_hash
    assert USED_TEXTS in made.names_to_copy and USED_TEXTS not in made.files
    found = recorded(made)
    assert found is not None and {role: len(part) for role, part in found.roles.items()} == {
        role: len(set(getattr(tiny_dataset(), role).texts)) for role in ("train", "unlabelled", "dev")
    }


def test_without_a_record_the_model_itself_is_what_is_not_known(tmp_path: Path):
    assert recorded(tiny_artifact(tmp_path / "model")) is None
    assert inherited(tiny_artifact(tmp_path / "another")).unknown == ("another",)
    history = [{"step": "import", "options": {"source": "some-checkpoint"}, "parent": None}]
    assert inherited(tiny_artifact(tmp_path / "taken", history=history)).unknown == ("some-checkpoint",)


def test_a_record_of_another_model_is_refused(tmp_path: Path):
    made = attach(tiny_artifact(tmp_path / "model"), tiny_dataset().used_texts)
    (made.path / USED_TEXTS).write_bytes(UsedTexts().to_bytes())
    with pytest.raises(ArtifactError, match=r"not as it was written.*\n.*remedy: copy the artifact again"):
        recorded(made)
    assert inherited(made).unknown == ("model",)


def test_a_record_outside_the_artifact_is_not_read(tmp_path: Path):
    made = attach(tiny_artifact(tmp_path / "model"), tiny_dataset().used_texts)
    path = made.path / USED_TEXTS
    path.rename(tmp_path / "elsewhere.bin")
    path.symlink_to(tmp_path / "elsewhere.bin")
    with pytest.raises(ArtifactError, match="it lies outside the artifact"):
        recorded(made)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ArtifactError, match="it is no file"):
        recorded(made)
    path.unlink()
    path.symlink_to(path)
    with pytest.raises(ArtifactError, match=r"the record of the texts .* is (missing|not as)"):
        recorded(made)
