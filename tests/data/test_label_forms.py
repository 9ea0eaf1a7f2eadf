"""Labels in the forms of people's files: vectors, columns, lists as text, marks between names, decimal commas."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from leanformer.data.dataset import Dataset, open_dataset
from leanformer.data.examples import Examples
from leanformer.data.reading.cells import parse_list
from leanformer.task import Task
from tests.data.opening import refusal


def write_lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def write_table(path: Path, header: list[str], rows: list[list[Any]]) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([header, *rows])
    return path


def opened(folder: Path, **options: Any) -> Dataset:
    """The data set with its train file as dev, too, so that no row is taken out of train."""
    for file in folder.glob("train.*"):
        (folder / f"dev{file.suffix}").write_bytes(file.read_bytes())
    return open_dataset(str(folder), **options)


def names(part: Examples | None) -> list[Any]:
    """The labels of the examples by their names."""
    assert part is not None and part.labels is not None
    known = part.task.labels
    return [
        tuple(known[i] for i in label)
        if isinstance(label, tuple)
        else known[label]
        if isinstance(label, int)
        else label
        for label in part.labels
    ]


@pytest.mark.parametrize("key", ["label", "labels"])
@pytest.mark.parametrize(
    ("vectors", "expected"),
    [
        ([[1, 0], [0, 1], [1, 0]], [("0",), ("1",), ("0",)]),
        ([[0, 1, 0], [1, 0, 1], [0, 0, 0]], [("1",), ("0", "2"), ()]),
        ([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [("0",), ("1",), ("0", "1")]),
        ([[True, False], [False, True], [False, False]], [("0",), ("1",), ()]),
        (["[0, 1, 0]", "[1, 0, 0]", "[0, 0, 1]"], [("1",), ("0",), ("2",)]),
        (["[0. 1. 0.]", "[1. 0. 0.]", "[1. 1. 1.]"], [("1",), ("0",), ("0", "1", "2")]),
        ([[1] + [0] * 11, [0] * 11 + [1], [0] * 12], [("0",), ("11",), ()]),
    ],
    ids=str,
)
def test_vectors_of_zeros_and_ones(tmp_path: Path, key: str, vectors: list[Any], expected: list[Any]) -> None:
    write_lines(tmp_path / "train.jsonl", [{"text": f"t{i}", key: value} for i, value in enumerate(vectors)])
    data = opened(tmp_path)
    assert data.task.kind == "multilabel" and names(data.train) == expected
    assert len(data.task.labels) == (len(json.loads(vectors[0].replace(". ", ", ").replace(".]", "]")))
                                     if isinstance(vectors[0], str) else len(vectors[0]))  # fmt: skip
    assert any("vectors of" in note for note in data.notes)


def test_vectors_in_a_table_and_with_the_names_of_a_task(tmp_path: Path) -> None:
    write_table(tmp_path / "train.csv", ["text", "labels"], [["a", "[0, 1, 0]"], ["b", "[1, 0, 1]"]])
    data = opened(tmp_path, kind="multilabel", labels=("kind", "rude", "late"))
    assert names(data.train) == [("rude",), ("kind", "late")]


def test_lists_of_numbers_that_are_no_vectors(tmp_path: Path) -> None:
    write_lines(
        tmp_path / "train.jsonl",
        [{"text": "a", "labels": [0, 3]}, {"text": "b", "labels": [1]}, {"text": "c", "labels": []}],
    )
    assert names(opened(tmp_path).train) == [("0", "3"), ("1",), ()]
    # The first two labels of four, in every row of one file: a list of names, where the task is known.
    write_lines(tmp_path / "train.jsonl", [{"text": "a", "labels": [0, 1]}, {"text": "b", "labels": [0, 1]}])
    assert names(opened(tmp_path, kind="multilabel", labels=("0", "1", "2", "3")).train) == [("0", "1"), ("0", "1")]


@pytest.mark.parametrize("odd", [[1, 0], [1, 2, 0], ["late"], []])
def test_a_row_that_is_no_vector_among_vectors(tmp_path: Path, odd: list[Any]) -> None:
    rows = [{"text": f"t{i}", "labels": [int(i == j) for j in range(3)]} for i in range(3)]
    write_lines(tmp_path / "train.jsonl", [*rows, {"text": "odd", "labels": odd}])
    message = refusal(tmp_path)
    assert "train.jsonl, line 4" in message and "3 numbers, each 0 or 1" in message
    write_lines(tmp_path / "train.jsonl", [*rows, {"text": "odd", "labels": [1, 0, 0]}])
    assert names(opened(tmp_path).train)[-1] == ("0",)


def test_probabilities_are_named_for_what_they_are(tmp_path: Path) -> None:
    write_lines(tmp_path / "train.jsonl", [{"text": "a", "labels": [0.2, 0.8]}, {"text": "b", "labels": [0.9, 0.1]}])
    assert "'labels' holds a decimal number (0.2)" in refusal(tmp_path)


COLUMNS = [[0, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 0]]
FROM_COLUMNS = [("rude",), ("kind",), (), ("kind", "rude")]


@pytest.mark.parametrize("identifier", [[], ["id"], ["", "comment_id"]])
@pytest.mark.parametrize("shown", [str, lambda bit: str(float(bit)), lambda bit: str(bool(bit))])
def test_a_column_for_each_label(tmp_path: Path, identifier: list[str], shown: Any) -> None:
    header = [*identifier, "text", "kind", "rude", "late"]
    rows = [[*[f"x{i}"] * len(identifier), f"t{i}", *map(shown, bits)] for i, bits in enumerate(COLUMNS)]
    write_table(tmp_path / "train.csv", header, rows)
    data = opened(tmp_path)
    assert data.task == Task("multilabel", ("kind", "rude", "late"))
    assert names(data.train) == FROM_COLUMNS
    assert any("each column of 0 and 1 is taken as a label: 'kind', 'rude', 'late'" in note for note in data.notes)
    assert "train has no example of late" in data.notes


def test_a_key_for_each_label(tmp_path: Path) -> None:
    rows = [
        {"text": f"t{i}", "id": i, **dict(zip(("kind", "rude", "late"), bits, strict=True))}
        for i, bits in enumerate(COLUMNS)
    ]
    write_lines(tmp_path / "train.jsonl", rows)
    assert names(opened(tmp_path).train) == FROM_COLUMNS
    alone = open_dataset(str(tmp_path / "train.jsonl"), single="test")
    assert names(alone.test) == FROM_COLUMNS
    # As an object under `labels`, too.
    write_lines(
        tmp_path / "train.jsonl",
        [{"text": row.pop("text"), "labels": {k: v for k, v in row.items() if k != "id"}} for row in rows],
    )
    assert [set(label) for label in names(opened(tmp_path).train)] == [set(label) for label in FROM_COLUMNS]


def test_columns_of_zeros_and_ones_beside_others_are_labels_only_where_it_is_said(tmp_path: Path) -> None:
    rows = [[f"t{i}", "web" if i % 2 else "mail", *bits] for i, bits in enumerate(COLUMNS)]
    write_table(tmp_path / "train.csv", ["text", "source", "kind", "rude", "late"], rows)
    message = refusal(tmp_path)
    assert "say --kind multilabel" in message and "'kind', 'rude', 'late'" in message
    assert "unlabelled" not in message
    assert names(opened(tmp_path, kind="multilabel").train) == FROM_COLUMNS


def test_one_column_of_zeros_and_ones_is_a_label_by_another_name(tmp_path: Path) -> None:
    write_table(tmp_path / "train.csv", ["text", "spam"], [[f"t{i}", i % 2] for i in range(4)])
    message = refusal(tmp_path)
    assert "rename 'spam', a column of 0 and 1, to 'label'" in message
    write_table(tmp_path / "train.csv", ["text", "label"], [[f"t{i}", i % 2] for i in range(4)])
    assert names(opened(tmp_path).train) == ["0", "1", "0", "1"]


LISTS = [
    (["['good', 'late']", "['bad']", "[]"], [("good", "late"), ("bad",), ()]),
    (['["good", "late"]', '["bad"]', "[]"], [("good", "late"), ("bad",), ()]),
    (["['good' 'late']", "['bad']", "['it\\'s' \"so, so\"]"], [("good", "late"), ("bad",), ("it's", "so, so")]),
    (["['good'\n 'late']", "['bad']", "[]"], [("good", "late"), ("bad",), ()]),
    (["('good', 'late')", "('bad',)", "()"], [("good", "late"), ("bad",), ()]),
    (["{'late', 'good'}", "{'bad'}", "set()"], [("good", "late"), ("bad",), ()]),
    (["array(['good', 'late'], dtype=object)", "array(['bad'], dtype=object)", "[]"], [("good", "late"), ("bad",), ()]),
    (["[good, late]", "[bad]", "[good]"], [("good", "late"), ("bad",), ("good",)]),
    (["[1, 22]", "[22]", "[3]"], [("1", "22"), ("22",), ("3",)]),
]


@pytest.mark.parametrize("key", ["label", "labels"])
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize(("cells", "expected"), LISTS, ids=str)
def test_lists_written_out(tmp_path: Path, cells: list[str], expected: Any, suffix: str, key: str) -> None:
    if suffix == ".csv":
        write_table(tmp_path / "train.csv", ["text", key], [[f"t{i}", cell] for i, cell in enumerate(cells)])
    else:
        write_lines(tmp_path / "train.jsonl", [{"text": f"t{i}", key: cell} for i, cell in enumerate(cells)])
    data = opened(tmp_path)
    assert data.task.kind == "multilabel"
    assert [set(label) for label in names(data.train)] == [set(label) for label in expected]
    assert any(f"written out under {key!r}" in note for note in data.notes)


@pytest.mark.parametrize("key", ["label", "labels"])
def test_a_cell_without_a_list_among_lists(tmp_path: Path, key: str) -> None:
    rows = [["a", "['x', 'y']"], ["b", "['x']"], ["c", "y"]]
    write_table(tmp_path / "train.csv", ["text", key], rows)
    message = refusal(tmp_path)
    assert "train.csv, line 4" in message and "such as ['y'] here" in message
    write_table(tmp_path / "train.csv", ["text", key], [*rows[:2], ["c", "['y']"]])
    assert names(opened(tmp_path).train) == [("x", "y"), ("x",), ("y",)]


@pytest.mark.parametrize("label", ["[unclear]", "(other)", "{x}", "['", "[a] or [b]"])
def test_a_name_in_brackets_stays_a_name(tmp_path: Path, label: str) -> None:
    write_table(tmp_path / "train.csv", ["text", "label"], [["a", label], ["b", "good"], ["c", label], ["d", "bad"]])
    assert names(opened(tmp_path).train) == [label, "good", label, "bad"]


@pytest.mark.parametrize(
    "cell", ["['a', b]", "['a'b]", "[1, 2", "a", "", "[", "[[1], 2", "['a' + 'b']", "[f()]", "[" * 5000]
)
def test_what_is_no_list(cell: str) -> None:
    assert parse_list(cell) is None


def test_lists_of_one_name_under_label_are_one_label(tmp_path: Path) -> None:
    write_lines(tmp_path / "train.jsonl", [{"text": "a", "label": ["x"]}, {"text": "b", "label": ["y"]}])
    assert opened(tmp_path).task.kind == "classification"
    write_lines(tmp_path / "train.jsonl", [{"text": "a", "labels": ["x"]}, {"text": "b", "labels": ["y"]}])
    assert opened(tmp_path).task.kind == "multilabel"
    data = opened(tmp_path, kind="classification")
    assert names(data.train) == ["x", "y"]
    write_lines(tmp_path / "train.jsonl", [{"text": "a", "label": ["x", "y"]}, {"text": "b", "label": ["y"]}])
    assert names(opened(tmp_path).train) == [("x", "y"), ("y",)]


@pytest.mark.parametrize("mark", [",", ";", "|", ", ", " ; "])
@pytest.mark.parametrize("kind", [None, "multilabel"])
def test_names_with_a_mark_between(tmp_path: Path, mark: str, kind: str | None) -> None:
    cells = [f"good{mark}late", "good", "bad", f"bad{mark}late", ""]
    write_table(tmp_path / "train.csv", ["text", "labels"], [[f"t{i}", cell] for i, cell in enumerate(cells)])
    (tmp_path / "test.csv").write_text("text,labels\nx,good\n")  # without a mark: read as train is
    data = opened(tmp_path, kind=kind)
    assert names(data.train) == [("good", "late"), ("good",), ("bad",), ("bad", "late"), ()]
    assert names(data.test) == [("good",)]


def test_a_comma_that_may_belong_to_a_name(tmp_path: Path) -> None:
    rows = [["a", "Shoes, Bags"], ["b", "Books"], ["c", "Shoes, Bags"]]
    write_table(tmp_path / "train.csv", ["text", "labels"], rows)
    message = refusal(tmp_path)
    assert "write '|' instead of ','" in message and "rename 'labels' to 'label'" in message
    assert "is not certain" in refusal(tmp_path, kind="multilabel")
    # Both ways out.
    write_table(tmp_path / "train.csv", ["text", "labels"], [[text, cell.replace(", ", "|")] for text, cell in rows])
    assert names(opened(tmp_path).train) == [("Bags", "Shoes"), ("Books",), ("Bags", "Shoes")]
    write_table(tmp_path / "train.csv", ["text", "label"], rows)
    data = opened(tmp_path)
    assert names(data.train) == ["Shoes, Bags", "Books", "Shoes, Bags"]
    assert not any("several labels" in note for note in data.notes)


@pytest.mark.parametrize("mark", [", ", "|", ";"])
def test_several_names_under_label_are_noted_and_the_remedy_works(tmp_path: Path, mark: str) -> None:
    rows = [["a", f"good{mark}late"], ["b", "good"], ["c", "late"]]
    write_table(tmp_path / "train.csv", ["text", "label"], rows)
    [note] = [note for note in opened(tmp_path).notes if "look like several labels" in note]
    assert "name the column 'labels'" in note
    write_table(tmp_path / "train.csv", ["text", "labels"], rows)
    assert names(opened(tmp_path).train) == [("good", "late"), ("good",), ("late",)]


@pytest.mark.parametrize("kind", [None, "regression"])
@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["4,5", "1,25", "3"], [4.5, 1.25, 3.0]),
        (["-0,5", "+1,5", "10,0"], [-0.5, 1.5, 10.0]),
        (["0,125", "0,250"], [0.125, 0.25]),
    ],
)
def test_decimal_commas(tmp_path: Path, kind: str | None, cells: list[str], expected: list[float]) -> None:
    write_table(tmp_path / "train.csv", ["text", "label"], [[f"t{i}", cell] for i, cell in enumerate(cells)])
    data = opened(tmp_path, kind=kind)
    assert data.task.kind == "regression" and names(data.train) == expected
    assert any("decimal comma" in note for note in data.notes)


def test_commas_that_may_stand_between_thousands(tmp_path: Path) -> None:
    write_table(tmp_path / "train.csv", ["text", "label"], [["a", "1,500"], ["b", "20,000"]])
    message = refusal(tmp_path)
    assert "line 2" in message and "thousands" in message
    for cells in (["1.5", "20.0"], ["1500", "20000"]):
        write_table(tmp_path / "train.csv", ["text", "label"], [["a", cells[0]], ["b", cells[1]]])
        assert names(opened(tmp_path, kind="regression").train) == [float(cell) for cell in cells]


def test_one_word_among_decimal_commas_is_named(tmp_path: Path) -> None:
    write_table(tmp_path / "train.csv", ["text", "label"], [["a", "1,5"], ["b", "2,5"], ["c", "high"]])
    assert "line 4: the label 'high' is not a number" in refusal(tmp_path)


def test_pairs_with_decimal_commas_between_semicolons(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(
        "sep=;\r\nsentence1;sentence2;label\r\na;b;4,5\r\nc;d;0,5\r\n;;\r\n", newline=""
    )
    data = opened(tmp_path)
    assert data.task.kind == "similarity" and names(data.train) == [4.5, 0.5]


def test_an_unlabelled_split_may_have_labels_of_any_form(tmp_path: Path) -> None:
    write_lines(tmp_path / "train.jsonl", [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}])
    write_lines(
        tmp_path / "unlabelled.jsonl", [{"text": "c", "label": [[0, 1, "LOC"]]}, {"text": "d", "labels": {"x": 0.5}}]
    )
    data = opened(tmp_path)
    assert "2 of 2 unlabelled rows have a label, which is not used" in data.notes


@pytest.mark.parametrize("mark", [" ", ",", ";", ", "])
def test_vectors_without_brackets(tmp_path: Path, mark: str) -> None:
    cells = [mark.join(bits) for bits in ("011", "100", "000")]
    write_table(tmp_path / "train.csv", ["text", "labels"], [[f"t{i}", cell] for i, cell in enumerate(cells)])
    assert names(opened(tmp_path).train) == [("1", "2"), ("0",), ()]


def test_numbers_with_commas_are_vectors_only_where_all_are(tmp_path: Path) -> None:
    write_table(tmp_path / "train.csv", ["text", "labels"], [["a", "0,1"], ["b", "1"], ["c", "0"]])
    assert names(opened(tmp_path).train) == [("0", "1"), ("1",), ("0",)]


@pytest.mark.parametrize(
    ("yes", "no"), [("WAHR", "FALSCH"), ("VRAI", "FAUX"), ("VERDADERO", "FALSO"), ("VERO", "FALSO")]
)
def test_columns_of_truth_values_as_spreadsheets_write_them(tmp_path: Path, yes: str, no: str) -> None:
    write_table(tmp_path / "train.csv", ["text", "rude", "loud"], [["a", yes, no], ["b", yes, yes], ["c", no, no]])
    assert names(opened(tmp_path).train) == [("rude",), ("rude", "loud"), ()]


def test_choices_of_label_studio(tmp_path: Path) -> None:
    several = {"choices": ["good", "long"]}
    write_lines(tmp_path / "train.jsonl", [{"text": "a", "label": several}, {"text": "b", "label": "good"}])
    assert names(opened(tmp_path).train) == [("good", "long"), ("good",)]
    (tmp_path / "train.jsonl").unlink()
    (tmp_path / "dev.jsonl").unlink()
    write_table(tmp_path / "train.csv", ["text", "label"], [["a", json.dumps(several)], ["b", "good"]])
    assert names(opened(tmp_path).train) == [("good", "long"), ("good",)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("__label__x a\n__label__y b\n", "behind __label__"),
        ("-DOCSTART- -X- O\n\nRome NNP B-LOC\nnow RB O\n", "--task tokens"),
        ("a\tx\nb\ty\nc\tx\nd\ty\n", "name the file notes.tsv"),
    ],
)
def test_one_file_of_lines_that_hold_labels_says_so(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "notes.txt").write_text(content, encoding="utf-8")
    assert any(said in note for note in open_dataset(str(tmp_path / "notes.txt")).notes)


@pytest.mark.parametrize("flags", [("yes", "no"), ("1", "0")])
def test_a_column_called_as_labels_are_is_named_before_columns_of_two_values(tmp_path: Path, flags: tuple[str, str]):
    rows = [[f"t{i}", "xyz"[i % 3], flags[i % 2], flags[i // 2 % 2]] for i in range(6)]
    for split in ("train", "test"):
        write_table(tmp_path / f"{split}.csv", ["text", "intent", "spam", "new"], rows)
    said = refusal(tmp_path)
    assert "remedy: rename 'intent' to 'label' if it holds the one label of a text; or" in said
    assert "'spam', 'new'" in said


def test_two_numbers_a_cell_may_be_labels_as_well_as_a_vector(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write_table(tmp_path / f"{split}.csv", ["text", "labels"], [["a", "0,1"], ["b", "1,0"]])
    assert "write '|' instead of ','" in refusal(tmp_path)
