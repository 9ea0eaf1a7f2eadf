"""How records of files become inputs, of each kind."""

from __future__ import annotations

from leanformer.data.reading.input_forms import INPUT_FORMS, form_of_kind, input_of_second, lacking_columns
from leanformer.data.reading.input_forms import with_our_names as renamed
from leanformer.task import BUILT


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


def test_rows_and_questions_of_another_kind_are_refused_with_a_remedy() -> None:
    for kind in BUILT:
        form, second = form_of_kind(kind), {"pair": "b"}.get(BUILT[kind].input)
        assert form.problem(second, kind) is None and form.question(second) is None
        wrong = "b" if second is None else None
        for found in (form.problem(wrong, kind), form.question(wrong)):
            assert found is not None and all(found)
