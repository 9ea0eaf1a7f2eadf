"""Every kind of input has its line in every table, and one that has none is refused wherever it is met."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from leanformer.data.reading.input_forms import INPUT_FORMS, form_of_kind
from leanformer.data.reading.rows import build_row, mismatch
from leanformer.data.row import Row
from leanformer.errors import LeanformerError
from leanformer.inputs.input import Input
from leanformer.inputs.kinds import INPUTS, input_of
from leanformer.questions import check_texts
from leanformer.task import BUILT, Kind, Task
from leanformer.task import INPUTS as NAMES


def test_every_table_names_the_same_kinds() -> None:
    assert set(INPUTS) == set(INPUT_FORMS) == set(NAMES) == {kind.input for kind in BUILT.values()}
    assert all(input_.name == name for name, input_ in INPUTS.items())


@pytest.mark.parametrize("input_", INPUTS.values(), ids=INPUTS)
def test_samples_and_the_example_are_questions_of_their_kind(input_: Input) -> None:
    for sample in (*input_.samples, eval(input_.example)):
        input_.check(sample, "the text")
    assert len(input_.samples) == 3


def test_a_kind_that_leaves_something_out_cannot_be_made() -> None:
    class Half(Input):
        def check(self, question: object, name: str) -> None: ...

    with pytest.raises(TypeError, match="abstract"):
        Half("half", "halves", False, False, "", "")  # type: ignore[abstract]


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Task:
    """A task of a kind whose inputs nothing knows."""
    monkeypatch.setattr("leanformer.task.INPUTS", (*NAMES, "pictures"))
    monkeypatch.setitem(BUILT, "made-up", Kind("pictures", "label"))
    return Task("made-up", ("a", "b"))


@pytest.mark.parametrize(
    "ask",
    [
        lambda task: input_of(task),
        lambda task: check_texts(["a text"], task),
        lambda task: form_of_kind(task.kind),
        lambda task: build_row({"text": "a"}, task.kind, path="rows.jsonl", line=1),
        lambda task: mismatch(Row(1, "a"), task.kind),
    ],
)
def test_a_kind_that_is_not_built_is_refused(ask: Callable[[Task], object], made_up: Task) -> None:
    with pytest.raises(LeanformerError, match=r"inputs of the kind 'pictures' are not built; .*text.* are\n.*remedy"):
        ask(made_up)


def test_a_kind_of_task_names_its_input() -> None:
    with pytest.raises(ValueError, match="unknown input 'pictures'"):
        Kind("pictures", "label")
