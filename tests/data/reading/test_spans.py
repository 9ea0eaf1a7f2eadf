"""Entities given as places in a text, as annotation tools and libraries write them, become tags of words."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from leanformer.data.dataset import open_dataset
from leanformer.data.reading.readers import read_questions, read_rows
from leanformer.data.reading.spans import CharacterSpan, SpanError, tag_text
from leanformer.tagging.words import words_of
from tests.data.opening import refusal

TEXT = "Ana Ruiz left Paris, alone."
WORDS = ["Ana", "Ruiz", "left", "Paris", ",", "alone", "."]
TAGS = ("B-PER", "I-PER", "O", "B-LOC", "O", "O", "O")
SPANS = [[0, 8, "PER"], [14, 19, "LOC"]]
NONE = "Nobody came."


def objects(start: str, end: str, name: str, *, listed: bool = False, **further: Any) -> list[dict[str, Any]]:
    return [{start: first, end: last, name: [kind] if listed else kind, **further} for first, last, kind in SPANS]


def label_studio(values: list[dict[str, Any]], **further: Any) -> dict[str, Any]:
    return {"id": 1, "annotations": [{"result": [{"value": value, "type": "labels"} for value in values]}], **further}


# Each is a row with the two spans, and a row without any.
FORMS: dict[str, tuple[Any, Any]] = {
    "doccano": ({"id": 0, "text": TEXT, "label": SPANS}, {"id": 1, "text": NONE, "label": []}),
    "doccano labels": ({"text": TEXT, "labels": SPANS}, {"text": NONE, "labels": []}),
    "doccano relations": (
        {"text": TEXT, "entities": objects("start_offset", "end_offset", "label", id=4), "relations": []},
        {"text": NONE, "entities": [], "relations": []},
    ),
    "entities": ({"text": TEXT, "entities": SPANS[::-1]}, {"text": NONE, "entities": []}),
    "type first": ({"text": TEXT, "entities": [["PER", 0, 8], ["LOC", 14, 19]]}, {"text": NONE, "entities": []}),
    "objects": ({"text": TEXT, "entities": objects("start", "end", "type")}, {"text": NONE, "entities": []}),
    "spaCy": ([TEXT, {"entities": SPANS}], [NONE, {"entities": []}]),
    "spaCy document": (
        {"text": TEXT, "ents": objects("start", "end", "label"), "tokens": [{"id": 0, "start": 0, "end": 3}]},
        {"text": NONE, "ents": [], "tokens": [{"id": 0, "start": 0, "end": 6}]},
    ),
    "Prodigy": (
        {
            "text": TEXT, "_input_hash": 3, "answer": "accept",
            "tokens": [{"text": "Ana", "start": 0, "end": 3, "id": 0}],
            "spans": objects("start", "end", "label", token_start=0, token_end=1),
        },
        {"text": NONE, "_input_hash": 4, "answer": "accept", "tokens": [], "spans": []},
    ),
    "Label Studio": (
        label_studio(objects("start", "end", "labels", listed=True, text="..."), data={"text": TEXT}),
        label_studio([], data={"text": NONE}),
    ),
    "Label Studio, another key": (
        label_studio(objects("start", "end", "labels", listed=True), data={"review": TEXT, "stars": 3}),
        label_studio([], data={"review": NONE, "stars": 1}),
    ),
    "Label Studio, small": (
        {"id": 1, "text": TEXT, "label": objects("start", "end", "labels", listed=True), "annotator": 1},
        {"id": 2, "text": NONE, "label": [], "annotator": 1},
    ),
    "GLiNER": (
        {"tokenized_text": WORDS, "ner": [[0, 1, "PER"], [3, 3, "LOC"]]},
        {"tokenized_text": ["Nobody", "came", "."], "ner": []},
    ),
    "tokens and ner_tags": (
        {"id": "0", "tokens": WORDS, "ner_tags": list(TAGS)},
        {"id": "1", "tokens": ["Nobody", "came", "."], "ner_tags": ["O", "O", "O"]},
    ),
}  # fmt: skip


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def tagged(path: Path, kind: str | None) -> list[tuple[list[str], Any]]:
    return [(words_of(row.text), row.label) for row in read_rows(path, kind)]


@pytest.mark.parametrize("kind", [None, "tokens"])
@pytest.mark.parametrize("form", FORMS)
def test_spans_of_all_forms(tmp_path: Path, form: str, kind: str | None) -> None:
    path = write(tmp_path / "train.jsonl", *FORMS[form])
    assert tagged(path, kind) == [(WORDS, TAGS), (["Nobody", "came", "."], ("O", "O", "O"))]
    write(tmp_path / "dev.jsonl", *FORMS[form])
    (tmp_path / "unlabelled.txt").write_text("Ana left.\n")
    data = open_dataset(str(tmp_path), kind=kind)
    assert data.task.kind == "tokens" and data.task.labels == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert data.unlabelled is not None and data.unlabelled.texts == ("Ana left .",)


@pytest.mark.parametrize("form", [form for form in FORMS if "tokens" not in form and form != "GLiNER"])
def test_the_texts_of_such_rows_are_questions(tmp_path: Path, form: str) -> None:
    assert list(read_questions(write(tmp_path / "a.jsonl", *FORMS[form]))) == [TEXT, NONE]


@pytest.mark.parametrize("kind", [None, "tokens"])
@pytest.mark.parametrize(
    ("header", "row"),
    [
        (["text", "label"], [TEXT, "[(0, 8, 'PER'), (14, 19, 'LOC')]"]),
        (["text", "entities"], [TEXT, json.dumps(objects("start", "end", "label"))]),
        (["text", "spans"], [TEXT, str(objects("start", "end", "label"))]),
        (["tokens", "ner_tags"], [str(WORDS), str(list(TAGS))]),
        (["words", "tags"], [json.dumps(WORDS), json.dumps(TAGS)]),
    ],
)
def test_spans_and_tags_in_a_table(tmp_path: Path, header: list[str], row: list[str], kind: str | None) -> None:
    with open(tmp_path / "a.csv", "w", newline="") as handle:
        csv.writer(handle).writerows([header, row, row])
    assert tagged(tmp_path / "a.csv", kind) == [(WORDS, TAGS), (WORDS, TAGS)]


def test_a_label_beside_spans_is_what_is_asked(tmp_path: Path) -> None:
    rows = [{"text": TEXT, "label": "x", "entities": SPANS}, {"text": NONE, "label": "y", "entities": []}]
    path = write(tmp_path / "a.jsonl", *rows)
    assert [row.label for row in read_rows(path)] == ["x", "y"]
    assert tagged(path, "tokens")[0] == (WORDS, TAGS)


@pytest.mark.parametrize(
    ("text", "spans", "words", "tags"),
    [
        ("Paris's trams", [(0, 5, "LOC")], ["Paris", "'s", "trams"], ["B-LOC", "O", "O"]),
        ("un-American", [(3, 11, "X")], ["un-", "American"], ["O", "B-X"]),
        ("  Paris  now", [(0, 9, "LOC")], ["Paris", "now"], ["B-LOC", "O"]),
        ("a b c", [(0, 3, "X"), (4, 5, "X")], ["a", "b", "c"], ["B-X", "I-X", "B-X"]),
        ("ab cd", [(0, 1, "X"), (1, 5, "Y")], ["a", "b", "cd"], ["B-X", "B-Y", "I-Y"]),
        ("Köln 😀 Rom", [(0, 4, "LOC"), (7, 10, "LOC")], ["Köln", "😀", "Rom"], ["B-LOC", "O", "B-LOC"]),
        ("ฉันรักกรุงเทพ", [(6, 13, "LOC")], ["ฉันรัก", "กรุงเทพ"], ["O", "B-LOC"]),
        ("(Rome)", [(0, 6, "X")], ["(", "Rome", ")"], ["B-X", "I-X", "I-X"]),
        ("a b", [(0, 1, "X"), (0, 1, "X")], ["a", "b"], ["B-X", "O"]),
    ],
)
def test_words_are_cut_where_a_span_ends(text: str, spans: Any, words: list[str], tags: list[str]) -> None:
    found = tag_text(text, [CharacterSpan(*span) for span in spans])
    assert (found.words, found.tags) == (words, tags)


def test_cut_words_are_counted(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", {"text": "un-American", "label": [[3, 11, "LOC"]]}, {"text": TEXT, "label": SPANS})
    notes = open_dataset(str(tmp_path)).notes
    assert "3 spans under 'label' were turned into tags of words" in notes
    assert "1 of 3 spans begin or end inside a word, which was cut there" in notes


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ([[0, 5, "LOC"], [3, 8, "PER"]], [[0, 5, "LOC"]], "overlap"),
        ([[0, 5, "LOC"], [0, 5, "ORG"]], [[0, 5, "ORG"]], "overlap"),
        ([[9, 40, "LOC"]], [[9, 12, "LOC"]], "does not lie in the text, which has 12 characters"),
        ([[-2, 3, "LOC"]], [[0, 3, "LOC"]], "does not lie in the text"),
        ([[5, 5, "LOC"]], [[5, 6, "LOC"]], "does not lie in the text"),
        ([[6, 7, "LOC"]], [[0, 6, "LOC"]], "nothing but white space"),
        ([[0, "5", "LOC"]], [[0, 5, "LOC"]], "no span of the text"),
        ([[0, 5, ""]], [[0, 5, "LOC"]], "no span of the text"),
        (["LOC"], [[0, 5, "LOC"]], "no span of the text"),
    ],
)
def test_spans_that_cannot_be_meant(tmp_path: Path, wrong: Any, right: Any, said: str) -> None:
    write(tmp_path / "train.jsonl", {"text": TEXT, "label": SPANS}, {"text": "Nobody came.", "label": wrong})
    message = refusal(tmp_path, kind="tokens")
    assert "train.jsonl, line 2" in message and said in message
    path = write(tmp_path / "train.jsonl", {"text": TEXT, "label": SPANS}, {"text": "Nobody came.", "label": right})
    assert len(tagged(path, "tokens")) == 2
    with pytest.raises(SpanError):
        tag_text("abc", [CharacterSpan(0, 9, "X")])


def test_ends_that_count_the_last_character(tmp_path: Path) -> None:
    spans = [[0, 7, "PER"], [14, 18, "LOC"]]
    write(tmp_path / "train.jsonl", {"text": TEXT, "label": spans}, {"text": TEXT, "label": spans})
    assert "add 1 to each" in refusal(tmp_path)
    path = write(tmp_path / "train.jsonl", *[{"text": TEXT, "label": [[a, b + 1, kind] for a, b, kind in spans]}] * 2)
    assert tagged(path, None) == [(WORDS, TAGS)] * 2


def test_a_row_without_its_list_is_no_row_without_entities(tmp_path: Path) -> None:
    rows = [{"text": TEXT, "entities": SPANS}, {"text": NONE}]
    write(tmp_path / "train.jsonl", *rows)
    message = refusal(tmp_path)
    assert "line 2: a train row without a label" in message and "one without any has an empty list" in message
    path = write(tmp_path / "train.jsonl", rows[0], {**rows[1], "entities": []})
    assert tagged(path, None)[1] == (["Nobody", "came", "."], ("O", "O", "O"))


@pytest.mark.parametrize("kind", [None, "tokens"])
@pytest.mark.parametrize("words", ["words", "tokens"])
def test_spans_of_words_are_not_guessed_at(tmp_path: Path, kind: str | None, words: str) -> None:
    write(tmp_path / "train.jsonl", {words: WORDS, "entities": [{"start": 0, "end": 2, "type": "PER"}]})
    message = refusal(tmp_path, kind=kind)
    assert "line 1" in message and "write a tag for each word" in message and "unlabelled" not in message


def test_tags_that_are_numbers(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", {"tokens": ["EU", "rejects"], "ner_tags": [3, 0]})
    for kind in (None, "tokens"):
        message = refusal(tmp_path, kind=kind)
        assert "line 1" in message and "what they stand for is not said" in message
        assert "features['ner_tags'].feature.names" in message
    names = ["O", "B-PER", "I-PER", "B-ORG"]
    path = write(tmp_path / "train.jsonl", {"tokens": ["EU", "rejects"], "ner_tags": [names[3], names[0]]})
    assert tagged(path, None) == [(["EU", "rejects"], ("B-ORG", "O"))]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"tokenized_text": ["a"], "ner": [[0, 1, "X"]]}, "does not lie in the 1 words"),
        ({"tokenized_text": ["a", "b"], "ner": [[0, 1, "X"], [1, 1, "Y"]]}, "overlap"),
        ({"tokenized_text": ["a"], "ner": [[0, "X"]]}, "no span of words"),
        (label_studio([], data={"a": "x", "b": "y"}), "which of 'a', 'b' is the annotated text"),
        (
            {
                "text": "ab",
                "annotations": [{"result": [{"value": {"start": 0, "end": 2, "labels": ["X"]}}]}, {"result": []}],
            },
            "2 annotations that differ",
        ),
    ],
)
def test_exports_that_cannot_be_read_for_certain(tmp_path: Path, row: Any, said: str) -> None:
    write(tmp_path / "train.jsonl", row)
    message = refusal(tmp_path, kind="tokens")
    assert "line 1" in message and said in message


def test_rows_that_an_annotator_rejected_are_passed_over_and_counted(tmp_path: Path) -> None:
    row = {"text": TEXT, "spans": objects("start", "end", "label"), "_input_hash": 1}
    rows = [{**row, "answer": answer} for answer in ("accept", "reject", "ignore", "accept")]
    write(tmp_path / "train.jsonl", *rows)
    data = open_dataset(str(tmp_path))
    assert "train.jsonl: 2 rows skipped that the annotator rejected or ignored" in data.notes
    assert data.train is not None and len(data.train) + len(data.dev or ()) == 2
    # Elsewhere an answer is a column like any other.
    write(tmp_path / "train.jsonl", *({"text": f"t{i}", "label": "xy"[i % 2], "answer": "reject"} for i in range(4)))
    assert len(read_rows(tmp_path / "train.jsonl")) == 4


@pytest.mark.parametrize(
    "rows",
    [
        [[TEXT, {"cats": {"good": 1.0, "bad": 0.0}}], [NONE, {"cats": {"good": 0.0, "bad": 1.0}}]],
        [
            {"data": {"text": TEXT}, "annotations": [{"result": [{"value": {"choices": ["good"]}}]}]},
            {"data": {"text": NONE}, "annotations": [{"result": [{"value": {"choices": ["bad"]}}]}]},
        ],
        [
            {"text": TEXT, "accept": ["good"], "options": [{"id": "good"}], "answer": "accept"},
            {"text": NONE, "accept": ["bad"], "options": [{"id": "bad"}], "answer": "accept"},
        ],
        [{"id": 1, "text": TEXT, "label": ["good"]}, {"id": 2, "text": NONE, "label": ["bad"]}],
    ],
)
def test_labels_of_texts_from_annotation_tools(tmp_path: Path, rows: list[Any]) -> None:
    path = write(tmp_path / "a.jsonl", *rows)
    assert [(row.text, row.label) for row in read_rows(path)] == [(TEXT, "good"), (NONE, "bad")]


def test_one_array_of_rows_becomes_one_a_line(tmp_path: Path) -> None:
    import subprocess
    import sys

    rows = [{"text": TEXT, "label": "x"}, {"text": NONE, "label": "y"}]
    for content in (json.dumps(rows), json.dumps(rows, indent=1)):
        (tmp_path / "train.jsonl").write_text(content)
        message = refusal(tmp_path)
        command = message[message.index("python -c") :].replace("python", sys.executable, 1)
        subprocess.run(command, shell=True, cwd=tmp_path, check=True)
        assert [row.text for row in read_rows(tmp_path / "rows.jsonl")] == [TEXT, NONE]
