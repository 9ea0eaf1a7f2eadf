"""A file of decisions: what it changes, and what is refused, with the line and a remedy that works."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leanformer.curate.curation import find, removal
from leanformer.curate.decisions import Decided, decide_labels
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError
from leanformer.task import Task
from tests.making.tagged import TASK as TAGGED
from tests.making.tiny import TASK

ROWS = (
    ("first text", 0),
    ("second text", 1),
    ("third words here", 2),
    ("a fourth", 0),
    ("and the fifth", 1),
    ("six", 2),
)
PART = Examples(TASK, tuple(text for text, _ in ROWS), tuple(label for _, label in ROWS))
DATA = Dataset(TASK, train=PART, dev=PART, test=PART)
SEVERAL = Examples(Task("multilabel", TASK.labels), ("a", "b", "c"), ((0,), (0, 1, 2), ()))
# The tags are O, B-MUS, I-MUS, B-SPO, I-SPO.
WORDS = Examples(TAGGED, ("one two three", "four five"), ((0, 1, 2), (3, 4)))
MORE_WORDS = Examples(TAGGED, (*WORDS.texts, "six"), ((0, 1, 2), (3, 4), (1,)))


def decide(folder: Path, *lines: Any, train: Examples = PART, data: str | None = None) -> Decided:
    header = {"format_version": 1, "data": train.content_hash if data is None else data}
    path = folder / "decisions.jsonl"
    written = [line if isinstance(line, str) else json.dumps(line) for line in (header, *lines)]
    path.write_text("\n".join(written) + "\n")
    dataset = DATA if train is PART else Dataset(train.task, train=train)
    return decide_labels(path, dataset)


def labels(decided: Decided) -> list[Any]:
    assert decided.data.train is not None and decided.data.train.labels is not None
    return list(decided.data.train.labels)


def relabel(row: int, label: Any, **more: Any) -> dict[str, Any]:
    return {"row": row, "decision": "relabel", "label": label, **more}


def test_labels_change_in_train_alone_and_rows_are_dropped(tmp_path: Path) -> None:
    music, sport, weather = TASK.labels
    found = decide(
        tmp_path, relabel(1, weather), "", {"row": 2, "decision": "drop"}, {"row": 3, "decision": "keep"},
        relabel(4, music),
    )  # fmt: skip
    assert labels(found) == [2, 1, 2, 0, 1, 2]
    assert (found.relabelled, found.dropped, found.kept) == ((0,), (1,), 1), "row 4 has that label already"
    assert found.data.dev == PART and found.data.test == PART and sport


def test_a_dropped_row_leaves_and_its_duplicate_stays() -> None:
    train = Examples(TASK, ("the same text", "the same text", "other one", "and more"), (0, 1, 1, 2))
    data = Dataset(TASK, train=train)
    found = removal(data, find(data), "none", dropped=(1,), relabelled=(3,))
    assert found.kept == {"train": [0, 2, 3]}, "what conflicted with the dropped row is in doubt no more"
    assert (found.dropped, found.conflicting, found.duplicates, found.relabelled) == (1, 0, 0, 1)
    assert found.removed == 1 and found.to_json()["dropped"] == 1


def test_a_label_is_saved_by_a_row_that_was_not_dropped() -> None:
    train = Examples(TASK, ("a text", "other one", "and more", "a leak"), (0, 1, 2, 1))
    data = Dataset(TASK, train=train, test=Examples(TASK, ("a leak",), (1,)))
    found = removal(data, find(data), dropped=(1,))
    assert found.kept == {"train": [0, 2, 3]} and (found.dropped, found.leaked) == (1, 0)
    assert [place.row for place in found.needed] == [3]


@pytest.mark.parametrize(("conflicting", "kept"), [("first", [1, 2]), ("none", [1, 2]), ("keep", [0, 1, 2])])
def test_of_a_cluster_the_relabelled_row_stays(conflicting: str, kept: list[int]) -> None:
    train = Examples(TASK, ("the same text", "the same text", "and more"), (0, 1, 0))
    data = Dataset(TASK, train=train)
    found = removal(data, find(data), conflicting, relabelled=(1,))
    assert found.kept == {"train": kept} and found.relabelled == 1 and found.removed == 3 - len(kept)


def test_relabelled_rows_that_go_are_not_counted() -> None:
    train = Examples(TASK, ("the same text", "the same text", "a leak", "and more"), (1, 1, 0, 0))
    data = Dataset(TASK, train=train, test=Examples(TASK, ("a leak",), (1,)))
    found = removal(data, find(data), relabelled=(0, 1, 2))
    assert found.kept["train"] == [0, 3] and found.relabelled == 1


def test_any_number_of_labels_is_a_list(tmp_path: Path) -> None:
    first, second, third = TASK.labels
    found = decide(tmp_path, relabel(1, []), relabel(3, [third, first]), train=SEVERAL)
    assert labels(found) == [(), (0, 1, 2), (0, 2)] and found.relabelled == (0, 2) and second


def test_words_are_decided_one_by_one_and_tags_stay_legal(tmp_path: Path) -> None:
    found = decide(
        tmp_path, relabel(1, "O", word=2), relabel(2, "I-MUS", word=2), {"row": 2, "word": 1, "decision": "keep"},
        train=WORDS,
    )  # fmt: skip
    # What went on after "two" begins an entity, and so does what goes on from another type.
    assert labels(found) == [(0, 0, 1), (3, 1)] and found.relabelled == (0, 1) and found.kept == 1
    found = decide(tmp_path, relabel(1, "O", word=2), {"row": 1, "decision": "drop"}, train=MORE_WORDS)
    assert found.dropped == (0,) and found.relabelled == (), "what is left out has no new label"


BAD: dict[str, tuple[list[Any], int, str, str]] = {
    "no row": ([{"row": 7, "decision": "drop"}], 2, "there is no row 7, train has 6", "remove the line"),
    "row 0": ([{"row": 0, "decision": "drop"}], 2, "it.row is 0", "save the decisions again"),
    "unknown decision": ([{"row": 1, "decision": "delete"}], 2, "not one of relabel, drop, keep", "save the decisions"),
    "no decision": ([{"row": 1}], 2, "it has no 'decision'", "save the decisions again"),
    "no JSON": ([relabel(1, "music"), "{"], 3, "not JSON", "save the decisions again"),
    "no object": ([[1]], 2, "it is a list, not an object", "save the decisions again"),
    "twice": (
        [{"row": 1, "decision": "keep"}, {"row": 1, "decision": "drop"}], 3, "row 1 was already decided in line 2",
        "remove one of the two lines",
    ),
    "unknown label": ([relabel(1, "musik")], 2, "the label 'musik' is not one of the 3 labels", "write 'music' if"),
    "no label": ([{"row": 1, "decision": "relabel"}], 2, "it.label is null", 'write a name: "label": "music"'),
    "a list for a name": ([relabel(1, ["music"])], 2, "it.label is a list", "write a name"),
    "a label that is dropped": (
        [{"row": 1, "decision": "drop"}, {"row": 4, "decision": "drop"}], 2,
        "no row would have the label 'music' any more", "remove the line",
    ),
    "a label that is lost and dropped": (
        [relabel(1, "sport"), {"row": 4, "decision": "drop"}], 2, "the label 'music' any more", "remove the line"
    ),
    "a label that is lost": (
        [relabel(1, "sport"), relabel(4, "sport")], 2, "no row would have the label 'music' any more", "remove the line"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_refused_with_its_number_and_the_remedy_works(name: str, tmp_path: Path) -> None:
    lines, line, problem, remedy = BAD[name]
    with pytest.raises(DataError) as caught:
        decide(tmp_path, *lines)
    assert caught.value.line == line and problem in caught.value.problem and remedy in caught.value.remedy
    assert str(caught.value).startswith(f"{tmp_path / 'decisions.jsonl'}, line {line}: ")
    del lines[line - 2]
    decide(tmp_path, *lines)


@pytest.mark.parametrize(
    ("word", "problem"), [(9, "there is no word 9 in row 1, which has 3 words"), (None, "no 'word'")]
)
def test_a_word_has_to_be_there(word: int | None, problem: str, tmp_path: Path) -> None:
    more = {} if word is None else {"word": word}
    with pytest.raises(DataError, match=f'{problem}.*\n.*"word": 1'):
        decide(tmp_path, relabel(1, "O", **more), train=WORDS)
    decide(tmp_path, relabel(1, "O", word=1), train=WORDS)
    decide(tmp_path, {"row": 1, "decision": "drop"}, train=MORE_WORDS)


def test_labels_of_other_forms_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'it.label is \'music\', not a list\n.*"label": \["music"\]'):
        decide(tmp_path, relabel(1, "music"), train=SEVERAL)
    decide(tmp_path, relabel(1, ["music"]), train=SEVERAL)


def test_decisions_of_other_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="about other texts or labels than those of train now") as caught:
        decide(tmp_path, {"row": 1, "decision": "drop"}, data="f" * 64)
    assert caught.value.line == 1 and "decide on its new page" in caught.value.remedy
    changed = Examples(TASK, (*PART.texts[:-1], "seven"), PART.labels)
    with pytest.raises(DataError, match="about other texts"):
        decide(tmp_path, train=changed, data=PART.content_hash)


@pytest.mark.parametrize(
    "content", ["", "{}\n", '{"row": 1, "decision": "drop"}\n', '{"format_version": 2, "data": ""}']
)
def test_a_file_that_is_none_of_decisions_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "other.jsonl").write_text(content)
    with pytest.raises(DataError, match=r"line 1: .*\n.*its first line names the data"):
        decide_labels(tmp_path / "other.jsonl", DATA)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        decide_labels(tmp_path / "none.jsonl", DATA)
