"""How records of files become inputs, of each kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leanformer.data.dataset import open_dataset
from leanformer.data.reading.asked import read_asked
from leanformer.data.reading.contexts import ContextText
from leanformer.data.reading.input_forms import INPUT_FORMS, Second, form_of_kind, input_of_second, lacking_columns
from leanformer.data.reading.input_forms import with_our_names as renamed
from leanformer.errors import DataError
from leanformer.task import BUILT, Task
from tests.making.commands import write_lines


def test_well_known_names_are_replaced_where_both_are_there_and_no_text() -> None:
    assert renamed({"premise": "a", "hypothesis": "b", "id": 1}) == {"text": "a", "text_pair": "b", "id": 1}
    assert renamed({"premise": "a", "text": "b", "hypothesis": "c"})["text"] == "b"
    assert renamed({"premise": "a"}) == {"premise": "a"}


def test_a_header_lacks_columns_under_any_name() -> None:
    assert lacking_columns(["premise", "hypothesis"], INPUT_FORMS["pair"]) == []
    assert lacking_columns(["text"], INPUT_FORMS["pair"]) == ["text_pair"]
    assert lacking_columns(["review"], INPUT_FORMS["text"]) == ["text"]


def test_what_a_row_has_beside_its_text_tells_its_kind() -> None:
    assert input_of_second(None) == "text"
    assert input_of_second("b") == "pair"
    assert input_of_second(ContextText("b")) == "context"
    assert input_of_second(("b", "c")) == "choices"


def test_rows_and_questions_of_another_kind_are_refused_with_a_remedy() -> None:
    seconds: dict[str, Second] = {
        "text": None,
        "words": None,
        "pair": "b",
        "choices": ("b", "c"),
        "context": ContextText("d"),
    }
    for kind in BUILT:
        form, own = form_of_kind(kind), seconds[BUILT[kind].input]
        assert form.problem(own, kind) is None and form.question(own) is None
        for second in {*seconds.values()} - {own}:
            for found in (form.problem(second, kind), form.question(second)):
                assert found is not None and all(found)


QUESTION = {"text": "it rained", "choices": ["wet", "dry"], "label": 0}


@pytest.mark.parametrize(
    "record",
    [
        QUESTION,
        {"text": "it rained", "choice1": "wet", "choice2": "dry", "label": "0"},
        {"text": "", "question": "it rained", "choice1": "wet", "choice2": "dry", "label": "wet"},
        {"premise": "it", "question": "rained", "choice_1": "wet", "choice_2": "dry", "choice_3": None, "label": 0},
        {"text": "it rained", "choices": "wet|dry", "label": "0"},
        {"text": "it rained", "choices": '["wet", "dry"]', "label": "0"},
        {"text": "it rained", "choices": "['wet', 'dry']", "label": "0"},
        {"text": "it rained", "choices": "['wet' 'dry']", "label": "0"},
    ],
)
def test_questions_with_candidates_are_read_however_they_are_written(record: dict[str, Any], tmp_path: Path) -> None:
    path = write_lines(tmp_path / "train.jsonl", [record, QUESTION])
    data = open_dataset(path)
    assert data.task.kind == "choice" and data.train is not None
    assert data.train.inputs == (("it rained", ("wet", "dry")),) * 2 and data.train.labels == (0, 0)


def test_a_table_has_a_column_for_each_candidate_and_may_leave_the_last_ones_empty(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("text,choice1,choice2,choice3,label\nq,a,b,,b\nr,c,d,e,2\n", encoding="utf-8")
    train = open_dataset(path).train
    assert train is not None
    assert train.inputs == (("q", ("a", "b")), ("r", ("c", "d", "e"))) and train.labels == (1, 2)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"choices": ["wet"]}, "'choices' is a list of 1, but a question has at least 2 candidates"),
        ({"choices": ["wet", " ", "dry"]}, "'choice 2' is empty"),
        ({"choices": ["wet", 3]}, "'choice 2' is an integer"),
        ({"label": 2}, r"the label '2' is neither a number from 0 to 1 nor one of the candidates \(wet, dry\)"),
        ({"label": "damp"}, "the label 'damp' is neither"),
        ({"label": 0.5}, "the label is 0.5, but one candidate is to be chosen"),
        ({"label": None}, "a train row without a label"),
    ],
)
def test_what_is_wrong_with_a_question_is_said_with_its_line(
    changes: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "train.jsonl", [QUESTION, QUESTION | changes])
    with pytest.raises(DataError, match=rf"train.jsonl, line 2: {problem}(.|\n)*remedy: "):
        open_dataset(path, kind="choice")


def test_candidates_that_are_numbers_are_not_taken_for_their_numbers(tmp_path: Path) -> None:
    numbers = [{"text": "1 + 1", "choices": ["1", "2"], "label": label} for label in ("1", "2")]
    with pytest.raises(DataError, match="the label '1' is both the number of a candidate and the text of another"):
        open_dataset(write_lines(tmp_path / "a.jsonl", numbers))
    others = [{"text": "1 + 1", "choices": ["1", "2"], "label": label} for label in ("1", "0")]
    train = open_dataset(write_lines(tmp_path / "b.jsonl", others)).train
    assert train is not None and train.labels == (1, 0), "0 is no candidate, so that labels are numbers"


def test_where_single_texts_are_asked_for_candidates_are_columns_like_any_others(tmp_path: Path) -> None:
    row = {"text": "it rained", "choices": ["wet", "dry"], "label": "x"}
    path = write_lines(tmp_path / "train.jsonl", [row, row])
    data = open_dataset(path, kind="classification")
    assert data.train is not None and data.train.inputs == ("it rained", "it rained")
    (asked, _) = read_asked(path, Task("classification", ("x", "y")))
    assert asked.question == "it rained" and asked.problem is None


def test_a_question_to_a_model_is_refused_in_its_place(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "rows.jsonl", [QUESTION, {"text": "it rained"}, QUESTION | {"choices": ["wet"]}])
    first, second, third = read_asked(path, Task("choice", ()))
    assert first.question == ("it rained", ("wet", "dry"))
    assert "line 2: no key 'choices'" in str(second.problem)
    assert "line 3: 'choices' is a list of 1" in str(third.problem)


def test_beside_candidates_the_text_may_be_empty_where_another_column_asks(tmp_path: Path) -> None:
    rows = [
        {"text": "", "question": "it rained", "choice1": "wet", "choice2": "dry"},
        {"text": "", "question": " ", "choice1": "wet", "choice2": "dry"},
    ]
    first, second = read_asked(write_lines(tmp_path / "rows.jsonl", rows), Task("choice", ()))
    assert first.question == ("it rained", ("wet", "dry")) and first.problem is None
    assert "line 2: 'text' is empty" in str(second.problem)
    (tmp_path / "rows.csv").write_text("text,question,choices\n,it rained,wet|dry\n", encoding="utf-8")
    (asked,) = read_asked(tmp_path / "rows.csv", Task("choice", ()))
    assert asked.question == ("it rained", ("wet", "dry"))


def test_candidates_change_nothing_of_the_texts_where_others_are_asked_for(tmp_path: Path) -> None:
    row = {"text": "it rained", "question": "why", "choices": ["wet", "dry"], "label": "x"}
    train = open_dataset(write_lines(tmp_path / "a.jsonl", [row, row]), kind="classification").train
    assert train is not None and train.texts == ("it rained", "it rained")
    pair = {"premise": "it rained", "hypothesis": "wet", "choices": ["wet", "dry"], "label": "x"}
    train = open_dataset(write_lines(tmp_path / "b.jsonl", [pair, pair]), kind="pair").train
    assert train is not None and train.inputs == (("it rained", "wet"),) * 2


def test_a_column_of_single_things_holds_no_candidates(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("text,choices,label\nit rained,wet,x\nit snowed,white,y\n", encoding="utf-8")
    assert open_dataset(path).task.kind == "classification"
    with pytest.raises(DataError, match="'choices' is a list of 1"):
        open_dataset(path, kind="choice")


@pytest.mark.parametrize("cell", ["[" * 100_000, "[wet, dry", "{'wet'}"])
def test_cells_that_are_no_list_are_refused_with_their_line(cell: str, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "train.jsonl", [QUESTION, QUESTION | {"choices": cell}])
    with pytest.raises(DataError, match=r"train\.jsonl, line 2: 'choices' is"):
        open_dataset(path, kind="choice")
    path = write_lines(tmp_path / "train.jsonl", [QUESTION | {"choices": "[0] wet|[1] dry"}] * 2)
    train = open_dataset(path, kind="choice").train
    assert train is not None and train.inputs[0] == ("it rained", ("[0] wet", "[1] dry"))


def test_a_header_may_hold_candidates_that_are_not_asked_for(tmp_path: Path) -> None:
    header = ["question", "passage", "choice1", "choice2", "label"]
    assert lacking_columns(header, form_of_kind("pair")) == [] == lacking_columns(header, form_of_kind("choice"))
    path = tmp_path / "train.csv"
    path.write_text(",".join(header) + "\nq,p,a,b,x\nr,s,c,d,y\n", encoding="utf-8")
    train = open_dataset(path, kind="pair").train
    assert train is not None and train.inputs == (("q", "p"), ("r", "s"))
    (first, _) = read_asked(path, Task("pair", ("x", "y")))
    assert first.question == ("q", "p")


def test_two_columns_of_candidates_with_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("text,choice1,choice2,choice2,label\nq,a,b,c,0\nr,d,e,f,0\n", encoding="utf-8")
    with pytest.raises(DataError, match="two columns are named 'choice2'"):
        open_dataset(path)
    assert open_dataset(path, kind="classification").task.kind == "classification"
