"""Copies of texts with words replaced: by true neighbours, as often as asked, and like no text that judges."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from leanformer.artifact import Artifact
from leanformer.compress.distil.distil import Distil
from leanformer.compress.distil.substitution import NEIGHBOURS, Substitution, copies_of
from leanformer.data.examples import Examples
from leanformer.data.overlap import normalise_all
from leanformer.errors import RecipeError
from leanformer.models.store import import_checkpoint, read_model
from leanformer.step import Context
from leanformer.tokenizer import Tokenizer
from tests.making.every_format import unmapped_checkpoint
from tests.making.tiny import TASK, VOCABULARY, tiny_artifact, tiny_dataset, tiny_kind_dataset

DATA = replace(tiny_dataset(), test=None)
assert DATA.train is not None and DATA.dev is not None
TRAIN, DEV = DATA.train, DATA.dev


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return tiny_artifact(tmp_path_factory.mktemp("teacher") / "teacher")


@pytest.fixture(scope="module")
def table(teacher: Artifact) -> np.ndarray:
    return np.asarray(read_model(teacher).encoder.embeddings.word.weight.detach().numpy())


@pytest.fixture(scope="module")
def substitution(teacher: Artifact, table: np.ndarray) -> Substitution:
    return Substitution(table, Tokenizer(teacher.file("tokenizer.json"), 32), ["Guitar rain song42 drumming!"])


def context(teacher: Artifact, folder: Path, dev: Examples = DEV) -> Context:
    return Context(replace(DATA, dev=dev), {"teacher": teacher}, folder / "work", folder / "cache", threads=1)


def test_neighbours_are_the_words_with_the_largest_cosines(substitution: Substitution, table: np.ndarray):
    whole = [number for number, word in enumerate(VOCABULARY) if word.isalpha() and len(word) > 1]
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    place = VOCABULARY.index("guitar")
    order = sorted((number for number in whole if number != place), key=lambda number: -unit[number] @ unit[place])
    expected = [VOCABULARY[number] for number in order[:NEIGHBOURS]]
    assert substitution.neighbours("Guitar") == expected, "as the tokenizer reads the word: in lower case"
    assert substitution.neighbours("drumming") == [], "a word of several pieces stays"


def test_as_many_words_are_replaced_as_asked(substitution: Substitution):
    text = "Guitar rain song42 drumming! " * 200
    assert substitution.copy(text, 0.0, Random(1)) == text
    every = str(substitution.copy(text, 1.0, Random(1)))
    words = every.split()
    assert "Guitar" not in words and words[3::4] == ["drumming!"] * 200, "what is no word of one piece stays"
    assert set(words[::4]) == set(substitution.neighbours("Guitar")), "each of them is drawn"
    part = str(substitution.copy(text, 0.3, Random(1))).split()[::4]
    assert 0.15 < np.mean([word != "Guitar" for word in part]) < 0.45
    assert substitution.copy(("rain", ("rain", "Guitar")), 0.0, Random(1)) == ("rain", ("rain", "Guitar"))


def test_copies_are_new_have_no_labels_and_repeat(teacher: Artifact, tmp_path: Path):
    made = copies_of(TRAIN, teacher, context(teacher, tmp_path), 3, 0.4)
    assert made.labels is None and made.task == TASK and len(TRAIN) < len(made) <= 3 * len(TRAIN)
    keys = normalise_all(made.inputs)
    assert len(set(keys)) == len(keys) and not set(keys) & set(normalise_all(TRAIN.inputs))
    assert made.texts == copies_of(TRAIN, teacher, context(teacher, tmp_path), 3, 0.4).texts
    again = replace(context(teacher, tmp_path), seed=2)
    assert made.texts != copies_of(TRAIN, teacher, again, 3, 0.4).texts


def test_another_table_says_other_neighbours(teacher: Artifact, tmp_path: Path):
    """So that random words can be a control: neighbours in a table of random vectors."""
    usual = copies_of(TRAIN, teacher, context(teacher, tmp_path), 1, 1.0).texts
    table = np.random.default_rng(1).standard_normal((read_model(teacher).config.vocabulary, 8), np.float32)
    assert copies_of(TRAIN, teacher, context(teacher, tmp_path), 1, 1.0, table).texts != usual


def test_a_copy_like_a_text_of_dev_is_left_out(teacher: Artifact, tmp_path: Path):
    made = copies_of(TRAIN, teacher, context(teacher, tmp_path), 1, 0.4).texts
    long = max(made, key=len)
    held_out = (made[0].upper(), long + " x")
    dev = replace(DEV, texts=held_out, labels=(0, 0))
    less = copies_of(TRAIN, teacher, context(teacher, tmp_path, dev), 1, 0.4).texts
    assert made[0] not in less and long not in less and len(made) - 8 < len(less) < len(made)


def test_both_texts_of_a_pair_are_copied(teacher: Artifact, tmp_path: Path):
    pairs = tiny_kind_dataset("pair", (40, 20, 20, 20)).train
    assert pairs is not None and pairs.pairs is not None
    made = copies_of(pairs, teacher, context(teacher, tmp_path), 2, 1.0)
    assert made.pairs is not None and not set(made.pairs) <= set(pairs.pairs)
    assert not set(made.texts) <= set(pairs.texts)


def test_a_student_learns_from_copies_what_its_teacher_says_of_them(teacher: Artifact, tmp_path: Path):
    """More texts are read, and the student is another one."""
    said: dict[str, list[str]] = {}
    made = {}
    for name, options in {"none": {}, "copies": {"copies": 2}}.items():
        said[name] = []
        step = Distil(layers=1, epochs=1, batch_size=16, learning_rate=1e-3, trial_texts=0, **options)
        asked = replace(context(teacher, tmp_path / name), say=said[name].append, device="cpu")
        made[name] = step(teacher, asked, tmp_path / name / "student")
    assert made["none"].content_hash != made["copies"].content_hash
    assert "copies" not in made["none"].history[-1]["options"], "as before there were any"
    assert made["copies"].history[-1]["options"]["copies"] == 2
    (told,) = [line for line in said["copies"] if "copies of" in line]
    assert told.endswith("copies of 120 texts, 40 % of the words that can be replaced")
    assert not any("copies of" in line for line in said["none"])
    read = {name: [int(line.split()[-2]) for line in said[name] if "teacher outputs" in line][-1] for name in said}
    assert read["copies"] == read["none"] + int(told.split()[0]) > read["none"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"copies": 0}, "copies"),
        ({"copied_share": 0.4}, "copied_share is for `copies`, which is not given"),
        ({"copies": 2, "copied_share": 1.5}, "copied_share"),
        ({"copies": 2, "hard": 1.0}, "copies have no labels, and hard: 1 learns from nothing else"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, float], problem: str):
    with pytest.raises(RecipeError, match=problem):
        Distil(**options)  # type: ignore[arg-type]


def test_a_teacher_without_a_table_that_is_known_is_refused(tmp_path: Path):
    unmapped = import_checkpoint(str(unmapped_checkpoint(tmp_path / "deberta")), tmp_path / "model", max_tokens=32)
    with pytest.raises(RecipeError, match=r"(?s)the family of this model is not mapped.*remedy: leave `copies` out"):
        copies_of(TRAIN, unmapped, context(unmapped, tmp_path), 1, 0.4)
