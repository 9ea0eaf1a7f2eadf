"""Foreign models whose labels are not the data's: matched by dev, or refused; and those worse than no reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leanformer.answers.forms import score_logits
from leanformer.artifact import Artifact, open_artifact
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import CheckpointError, DataError, LeanformerError
from leanformer.export.onnx import Onnx
from leanformer.ladder.splits import prepare
from leanformer.loading import open_predictor
from leanformer.predictor import answers, logits
from leanformer.recipe.naming import name_by_rows, name_tags
from leanformer.recipe.teacher import check_teacher, matching_notes, take_in
from leanformer.tagging.schemes import spelled, tag_names
from leanformer.task import Task
from tests.making.checkpoints import edit
from tests.making.graphs import make_context
from tests.making.knowing import knowing, named, rename, save_stock
from tests.making.tagged import TASK as TAG_TASK
from tests.making.tagged import tagged_dataset
from tests.making.tiny import FILLERS, LABELS, TASK, TOPICS, tiny_dataset, tiny_kind_dataset

ORDER = ("weather", "music", "sport")
PLACEHOLDERS = named(("LABEL_0", "LABEL_1", "LABEL_2"))


def by_topic(order: Sequence[str] = ORDER) -> list[list[str]]:
    return [TOPICS[name] for name in order]


def renamed(data: Dataset, names: Sequence[str]) -> Dataset:
    """The same data with other names for music, sport and weather."""
    task = replace(data.task, labels=tuple(names))
    parts = {
        split: None if (part := getattr(data, split)) is None else replace(part, task=task)
        for split in ("train", "dev", "test", "unlabelled")
    }
    return replace(data, task=task, **parts)


def quality(teacher: Artifact, data: Dataset) -> float:
    """Of the teacher on test, the data in its order."""
    test = prepare(data, teacher, seed=1, threads=1).data.test
    assert test is not None
    return score_logits(logits(open_predictor(teacher, threads=1), test.inputs), test.targets, teacher.task)


NAMELESS = (None, PLACEHOLDERS, named(("label_0", "label_1", "label_2")))
CALLED = (LABELS, ("-1", "0", "1"), ("1", "2", "3"), ("LABEL_2", "LABEL_3", "LABEL_4"))


@pytest.mark.parametrize(
    ("names", "called"),
    [
        pytest.param(names, called, marks=[] if i % 3 == j % 3 else pytest.mark.slow)
        for i, names in enumerate(NAMELESS)
        for j, called in enumerate(CALLED)
    ],
)
def test_labels_without_names_are_matched_by_dev(names: dict[int, str] | None, called: tuple[str, ...], tmp_path: Path):
    source = save_stock(tmp_path / "s", knowing(by_topic()), TASK, names)
    edit(source / "config.json", num_labels=3)
    data = renamed(tiny_dataset(), called)
    teacher = take_in(str(source), tmp_path / "work", 32, data)
    assert teacher.task.labels == tuple(called[LABELS.index(name)] for name in ORDER)
    assert quality(teacher, data) == 1
    (note,) = matching_notes(teacher, data)
    assert "have no names; by agreement with 40 dev rows (100.0 %; the next best assignment" in note
    assert f"is {teacher.task.labels[0]}" in note
    assert take_in(str(source), tmp_path / "work", 32, data).content_hash == teacher.content_hash
    assert [path.name for path in (tmp_path / "work").iterdir()] == [teacher.path.name]


def test_other_names_are_matched_by_dev_and_said(tmp_path: Path):
    source = save_stock(tmp_path / "s", knowing(by_topic()), TASK, named(("5 stars", "1 star", "3 stars")))
    teacher = take_in(str(source), tmp_path / "work", 32, tiny_dataset())
    assert teacher.task.labels == ORDER and quality(teacher, tiny_dataset()) == 1
    (note,) = matching_notes(teacher, tiny_dataset())
    assert "are not called what the data call them" in note and "5 stars is weather, 1 star is music" in note


@pytest.mark.parametrize("called", [("0", "1", "2"), ("1", "2"), ("MUSIC", "Sport", "weather"), ("WEATHER", "sport")])
def test_numbers_of_logits_and_names_in_other_case_need_no_dev(called: tuple[str, ...], tmp_path: Path):
    by_number = called[0].isdigit()
    order = [name for name in (LABELS if by_number else ORDER)]
    source = save_stock(tmp_path / "s", knowing(by_topic(order)), TASK, named(order))
    whole = tiny_dataset()
    keep = [int(answer) for answer in called] if by_number else [LABELS.index(answer.lower()) for answer in called]
    parts = {
        split: Examples(
            Task("classification", called),
            tuple(text for text, label in zip(part.texts, part.labels, strict=True) if label in keep),
            tuple(keep.index(label) for label in part.labels if label in keep),
        )
        for split in ("train", "dev", "test")
        if (part := getattr(whole, split)) is not None
    }
    data = Dataset(Task("classification", called), **parts)
    teacher = take_in(str(source), tmp_path / "work", 32, data)
    assert [label.lower() for label in teacher.task.labels] == order
    assert quality(teacher, data) == 1
    if by_number:
        assert teacher.task.labels == LABELS
        assert f"the data's labels are the numbers of the model's: {called[0]} is " in matching_notes(teacher, data)[0]


def test_fewer_labels_than_logits_leave_placeholders(tmp_path: Path):
    groups = [["quite"], *by_topic()]
    source = save_stock(tmp_path / "s", knowing(groups), Task("classification", tuple("abcd")), named(
        [f"LABEL_{i}" for i in range(4)]))  # fmt: skip
    teacher = take_in(str(source), tmp_path / "work", 32, tiny_dataset())
    assert teacher.task.labels == ("LABEL_0", *ORDER)
    assert quality(teacher, tiny_dataset()) > 0.9


def test_any_number_of_labels_without_names_are_matched_too(tmp_path: Path):
    data = tiny_kind_dataset("multilabel")
    model = knowing(by_topic())
    model.head.classifier.bias.data.fill_(-1)
    source = save_stock(tmp_path / "s", model, replace(data.task), PLACEHOLDERS)
    teacher = take_in(str(source), tmp_path / "work", 32, data)
    assert teacher.task.labels == ORDER and quality(teacher, data) > 0.7


def test_what_dev_cannot_tell_is_refused_with_a_remedy_that_works(tmp_path: Path):
    data = tiny_dataset()
    assert data.dev is not None
    source = save_stock(tmp_path / "s", knowing(by_topic()), TASK, PLACEHOLDERS)
    with pytest.raises(CheckpointError, match=r"(?s)without a labelled dev split.*remedy: .*id2label"):
        take_in(str(source), tmp_path / "work", 32, replace(data, dev=None))
    few = replace(data, dev=data.dev.select([0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 1, 2]))
    with pytest.raises(
        CheckpointError, match=r"(?s)right for 100.0 % of 12 labels.*chance for 70.8 %.*remedy: .*id2label"
    ):
        take_in(str(source), tmp_path / "work", 32, few)
    knows_nothing = save_stock(tmp_path / "n", knowing([["quite"], ["with"], ["last"]]), TASK, PLACEHOLDERS)
    with pytest.raises(CheckpointError, match=r"(?s)dev does not tell which is which.*remedy: .*id2label"):
        take_in(str(knows_nothing), tmp_path / "work", 32, data)
    two = save_stock(tmp_path / "t", knowing(by_topic()[:2]), Task("classification", ("a", "b")), None)
    with pytest.raises(CheckpointError, match="2 logits for the 3 labels of the data"):
        take_in(str(two), tmp_path / "work", 32, data)
    assert not list((tmp_path / "work").iterdir()), "nothing is left lying about"
    # The remedy, as it is given.
    rename(source, named(ORDER))
    for given in (few, replace(data, dev=None), data):
        assert take_in(str(source), tmp_path / "work", 32, given).task.labels == ORDER


def test_labels_that_too_few_dev_rows_have_are_named():
    true = np.array([0] * 30 + [1] * 30 + [2, 3])
    given = np.eye(4, dtype=bool)[3 - true]
    with pytest.raises(CheckpointError, match=r"(?s)which of them c, d are: too few of 62 rows.*remedy: .*id2label"):
        name_by_rows("model", list("wxyz"), list("abcd"), np.eye(4, dtype=bool)[true], given)


def test_another_dev_is_asked_anew(tmp_path: Path):
    source = save_stock(tmp_path / "s", knowing(by_topic()), TASK, PLACEHOLDERS)
    data = tiny_dataset()
    assert take_in(str(source), tmp_path / "work", 32, data).task.labels == ORDER
    assert data.dev is not None and data.dev.labels is not None
    moved = replace(data.dev, labels=tuple((int(each) + 1) % 3 for each in data.dev.labels))  # type: ignore[call-overload]
    again = take_in(str(source), tmp_path / "work", 32, replace(data, dev=moved))
    assert again.task.labels == ("music", "sport", "weather")


def test_without_labels_the_placeholders_stay_and_that_is_said(tmp_path: Path):
    source = save_stock(tmp_path / "s", knowing(by_topic()), TASK, PLACEHOLDERS)
    unlabelled = tiny_dataset().unlabelled
    assert unlabelled is not None
    task = Task("classification", ())
    data = Dataset(task, unlabelled=replace(unlabelled, task=task))
    teacher = take_in(str(source), tmp_path / "work", 32, data)
    assert teacher.task.labels == tuple(PLACEHOLDERS.values())
    (note,) = matching_notes(teacher, data)
    assert "they stay LABEL_0, LABEL_1, LABEL_2" in note and "id2label" in note


def test_several_labels_that_a_checkpoint_does_not_speak_of(tmp_path: Path):
    data = tiny_kind_dataset("multilabel")
    model = knowing(by_topic(LABELS))
    model.head.classifier.bias.data.fill_(-1)
    source = save_stock(tmp_path / "s", model, data.task, named(LABELS))
    edit(source / "config.json", problem_type=None)
    teacher = take_in(str(source), tmp_path / "work", 32, data)
    with pytest.raises(DataError, match=r'remedy: .*config\.json: "problem_type": "multi_label_classification"'):
        prepare(data, teacher, seed=1, threads=1)
    edit(source / "config.json", problem_type="multi_label_classification")
    teacher = take_in(str(source), tmp_path / "work", 32, data)
    assert teacher.task == data.task and quality(teacher, data) > 0.7


# ---- taggers ---------------------------------------------------------------------------------------------------

_FIRST = {"MUS": TOPICS["music"][:2], "SPO": TOPICS["sport"][:2]}
_LATER = {"MUS": TOPICS["music"][2:5], "SPO": TOPICS["sport"][2:5]}


def words_of_tag(name: str, scheme: str | None) -> list[str]:
    """The words that have a tag; in `tests.making.tagged` an entity starts with a word of its own."""
    if name == "O":
        return []
    prefix, kind = name.split("-")
    if scheme == "IOB1":
        return _FIRST[kind] + _LATER[kind] if prefix == "I" else []
    return {"B": _FIRST, "I": _LATER}[prefix][kind]


def tagger(folder: Path, order: Sequence[str], names: dict[int, str] | None, scheme: str | None = None) -> Path:
    model = knowing([words_of_tag(name, scheme) for name in order], tokens=True)
    for number, name in enumerate(order):
        if name.startswith("B") and scheme == "IOB1":
            model.head.classifier.bias.data[number] = -9  # hardly ever said
    return save_stock(folder, model, Task("tokens", tuple(order)), names)


ORDERS = {
    "as run_ner has it": ("O", "B-SPO", "I-SPO", "B-MUS", "I-MUS"),
    "sorted, O last": ("B-MUS", "B-SPO", "I-MUS", "I-SPO", "O"),
    "prefixes apart": ("O", "B-SPO", "B-MUS", "I-SPO", "I-MUS"),
    "as they come": ("I-SPO", "O", "B-MUS", "B-SPO", "I-MUS"),
    "as ours": TAG_TASK.labels,
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_tags_without_names_are_matched_by_dev(order: tuple[str, ...], tmp_path: Path):
    data = tagged_dataset()
    source = tagger(tmp_path / "s", order, named([f"LABEL_{i}" for i in range(5)]))
    teacher = take_in(str(source), tmp_path / "work", 32, data)
    assert teacher.task.labels == order and teacher.task.scheme is None
    assert quality(teacher, data) == 1
    assert "dev words" in matching_notes(teacher, data)[0] and "LABEL_0 is" in matching_notes(teacher, data)[0]


@pytest.mark.parametrize(
    "order",
    [
        ("O", "B-SPO", "B-MUS", "I-SPO", "I-MUS"),
        ("B-SPO", "B-MUS", "I-SPO", "I-MUS", "O"),
        ("B-SPO", "I-SPO", "B-MUS", "I-MUS", "O"),
    ],
)
def test_tags_that_dev_does_not_have_follow_from_the_order_of_the_others(order: tuple[str, ...]):
    tags = [["O", f"B-{kind}", "O", "O"] for kind in ("MUS", "SPO")] * 20  # entities of one word alone
    chosen = [np.array([order.index(tag) for tag in sentence]) for sentence in tags]
    assert name_tags("model", [f"LABEL_{i}" for i in range(5)], TAG_TASK.labels, tags, chosen).names == order


def test_a_tagger_that_begins_with_i_is_one_of_iob1_only_where_dev_agrees_better_so(tmp_path: Path):
    order = ORDERS["as run_ner has it"]
    model = knowing([_FIRST[name[2:]] if name != "O" else [] for name in order], tokens=True)
    for number, name in enumerate(order):
        if name.startswith("I"):
            model.head.classifier.weight.data[number] *= 1.01  # said before B, which would do as well
    source = save_stock(tmp_path / "s", model, Task("tokens", order), named(order))
    texts = [f"the {word} was" for kind in ("MUS", "SPO") for word in _FIRST[kind]] * 5
    labels = [(0, TAG_TASK.labels.index(f"B-{kind}"), 0) for kind in ("MUS", "SPO") for _ in _FIRST[kind]] * 5
    dev = Examples(TAG_TASK, tuple(texts), tuple(labels))
    teacher = take_in(str(source), tmp_path / "work", 32, Dataset(TAG_TASK, dev=dev))
    assert teacher.task.scheme is None


@pytest.mark.parametrize("nameless", [False, True])
def test_a_tagger_of_iob1_is_decoded_as_it_was_trained(nameless: bool, tmp_path: Path):
    data, order = tagged_dataset(), ORDERS["as run_ner has it"]
    names = named([f"LABEL_{i}" for i in range(5)] if nameless else order)
    teacher = take_in(str(tagger(tmp_path / "s", order, names, "IOB1")), tmp_path / "work", 32, data)
    assert teacher.task.labels == order and teacher.task.scheme == "IOB1"
    assert quality(teacher, data) > 0.85, "entities that touch are one, for B is never said"
    assert any("read as IOB1" in note for note in matching_notes(teacher, data))
    # Stored, so that whatever runs it decodes alike, and says it in IOB2.
    prepared = prepare(data, teacher, seed=1, threads=1).data
    made = Onnx()(teacher, make_context(tmp_path, teacher, data=prepared), tmp_path / "onnx")
    light = open_predictor(open_artifact(made.path), threads=1)
    (found,) = answers(light, ["the song guitar was a goal"])
    assert found.tags == ("O", "B-MUS", "I-MUS", "O", "O", "B-SPO")
    assert found.spans is not None and [span.text for span in found.spans] == ["song guitar", "goal"]
    assert all(span.probability > 0.5 for span in found.spans), "that of the tag that was said, I"


def test_without_labels_a_taggers_own_answers_tell_its_scheme(tmp_path: Path):
    order = ORDERS["as run_ner has it"]
    data = tagged_dataset()
    bare = replace(data, train=None, dev=None, test=None, task=Task("tokens", ()),
                   unlabelled=replace(data.unlabelled, task=Task("tokens", ())))  # type: ignore[type-var]  # fmt: skip
    for scheme in ("IOB1", None):
        source = tagger(tmp_path / str(scheme), order, named(order), scheme)
        assert take_in(str(source), tmp_path / "work", 32, bare).task.scheme == scheme


@pytest.mark.slow
@pytest.mark.parametrize("prefixes", ["BIES", "BILU", "ESBI"])
@pytest.mark.parametrize("nameless", [False, True])
def test_a_tagger_of_bioes_or_bilou(prefixes: str, nameless: bool, tmp_path: Path):
    data = tagged_dataset()
    order = ("O", *(f"{prefix}-{kind}" for kind in ("SPO", "MUS") for prefix in prefixes))
    # Entities of two words at most, so that a word alone tells: "song" begins, "album" ends, "band" stands alone.
    parts = {
        "B": slice(0, 1),
        "I": slice(9, 10),
        "E": slice(2, 4),
        "L": slice(2, 4),
        "S": slice(1, 2),
        "U": slice(1, 2),
    }
    topics = {"MUS": TOPICS["music"], "SPO": TOPICS["sport"]}
    model = knowing([topics[name[2:]][parts[name[0]]] if name != "O" else [] for name in order], tokens=True)
    rows = [(f"{a} {song} {guitar} {b} {goal}", (a, song, guitar, b, goal)) for a in FILLERS[:3] for b in FILLERS[3:6]
            for song, guitar, goal in (("song", "guitar", "match"), ("song", "drum", "match"))]  # fmt: skip
    rows += [(f"{a} goal team {b} band", (a, "goal", "team", b, "band")) for a in FILLERS[:3] for b in FILLERS[3:6]]
    labels = tag_names(["MUS", "SPO"])
    wanted = [("O", "B-MUS", "I-MUS", "O", "B-SPO")] * 18 + [("O", "B-SPO", "I-SPO", "O", "B-MUS")] * 9
    task = Task("tokens", labels)
    examples = Examples(task, tuple(text for text, _ in rows), tuple(tuple(map(labels.index, tags)) for tags in wanted))
    data = Dataset(task, train=examples, dev=examples, test=examples)
    names = named([f"LABEL_{i}" for i in range(9)] if nameless else order)
    teacher = take_in(str(save_stock(tmp_path / "s", model, Task("tokens", order), names)), tmp_path / "work", 32, data)
    assert quality(teacher, data) == 1
    found = answers(open_predictor(teacher, threads=1), [examples.texts[0]])[0]
    assert found.tags == wanted[0] and found.spans is not None
    assert [(span.text, span.label) for span in found.spans] == [("song guitar", "MUS"), ("match", "SPO")]
    moved = prepare(data, teacher, seed=1, threads=1).data.train
    assert moved is not None and moved.labels is not None
    said = [teacher.task.labels[i] for i in moved.labels[0]]  # type: ignore[union-attr]
    assert tuple(said) == spelled(wanted[0], teacher.task.labels), "a student learns the tags that its teacher says"


def test_types_of_other_names_are_refused_with_a_remedy_that_works(tmp_path: Path):
    order = ORDERS["as run_ner has it"]
    source = tagger(tmp_path / "s", order, named([name.replace("MUS", "SONG") for name in order]))
    with pytest.raises(
        CheckpointError, match=r"(?s)types of entity \(SONG, SPO\) are not the data's.*remedy: .*id2label"
    ):
        take_in(str(source), tmp_path / "work", 32, tagged_dataset())
    rename(source, named(order))
    assert take_in(str(source), tmp_path / "work", 32, tagged_dataset()).task.labels == order


# ---- teachers that know nothing --------------------------------------------------------------------------------


def check(teacher: Artifact, data: Dataset, **options: bool) -> list[str]:
    prepared = prepare(data, teacher, seed=1, threads=1)
    return check_teacher(teacher, prepared.labelled_dev, "model", threads=1, **options)


def test_an_inverted_classifier_is_stopped_and_told_what_to_look_at(tmp_path: Path):
    source = save_stock(tmp_path / "s", knowing(by_topic()), TASK, named(LABELS))
    teacher = take_in(str(source), tmp_path / "work", 32, tiny_dataset())
    with pytest.raises(LeanformerError, match=r"(?s)right for 0.0 % of 40 rows.*'music' would be for 35.0 %") as error:
        check(teacher, tiny_dataset())
    assert "it would be right for 100.0 % if 'sport' were 'music'" in str(error.value)
    assert "id2label" in str(error.value) and "--allow-weak-teacher" in str(error.value)
    (note,) = check(teacher, tiny_dataset(), allowed=True)
    assert "right for 0.0 %" in note
    rename(source, named(ORDER))
    assert check(take_in(str(source), tmp_path / "work", 32, tiny_dataset()), tiny_dataset()) == []


def test_exchanged_types_of_entities_are_stopped(tmp_path: Path):
    order = ORDERS["as run_ner has it"]
    exchanged = [name.replace("SPO", "?").replace("MUS", "SPO").replace("?", "MUS") for name in order]
    teacher = take_in(str(tagger(tmp_path / "s", order, named(exchanged))), tmp_path / "work", 32, tagged_dataset())
    with pytest.raises(LeanformerError, match=r"entity F1 on 60 sentences is 0.0 %; of \d+ words of entities 0 have"):
        check(teacher, tagged_dataset())


@pytest.mark.parametrize("kind", ["similarity", "regression", "multilabel"])
def test_scores_and_several_labels_that_go_the_wrong_way_are_stopped(kind: str, tmp_path: Path):
    data = tiny_kind_dataset(kind)
    model = knowing(by_topic() if kind == "multilabel" else [TOPICS["sport"]])
    source = save_stock(tmp_path / "s", model, data.task, named(LABELS if kind == "multilabel" else ("LABEL_0",)))
    teacher = take_in(str(source), tmp_path / "work", 32, data)
    with pytest.raises(LeanformerError, match=r"given as often by chance|guessing has 0"):
        check(teacher, data)
    good = knowing(by_topic(LABELS) if kind == "multilabel" else [TOPICS["music"]])
    if kind == "multilabel":
        good.head.classifier.bias.data.fill_(-1)
    again = save_stock(tmp_path / "g", good, data.task, named(LABELS if kind == "multilabel" else ("LABEL_0",)))
    assert check(take_in(str(again), tmp_path / "work", 32, data), data) == []


def test_answers_of_the_teacher_itself_are_not_held_against_it(tmp_path: Path):
    source = save_stock(tmp_path / "s", knowing(by_topic()), TASK, named(LABELS))
    task = Task("classification", ())
    unlabelled = tiny_dataset().unlabelled
    assert unlabelled is not None
    data = Dataset(task, unlabelled=replace(unlabelled, task=task))
    teacher = take_in(str(source), tmp_path / "work", 32, data)
    assert check(teacher, data) == []
