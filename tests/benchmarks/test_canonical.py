"""What counts as a change of a module: what it does, and not what its loop variables are called."""

from __future__ import annotations

import pytest

from benchmarks.canonical import canonical

SOURCE = '''"""What it is."""

# Why.
def answer(given):  # here
    """A number."""
    text = "# no comment"
    for one in given:
        print(one, text)
    for one in reversed(given):
        print([one + inner for inner in one if one], key=lambda one: -one)
    return {one: 42 for one in given}
'''


@pytest.mark.parametrize(
    ("written", "other"),
    [
        ("# Why", "# Why not"), ("A number", "Another\n\n    number"), ("  # here", ""),
        ("(given):  #", "( given ):  #"),
        ("one in given:\n        print(one,", "word in given:\n        print(word,"),
        ("one in reversed(given):\n        print([one + inner for inner in one if one]",
         "row in reversed(given):\n        print([row + cell for cell in row if row]"),
        ("lambda one: -one", "lambda value: -value"), ("{one: 42 for one", "{key: 42 for key"),
    ],
)  # fmt: skip
def test_words_are_no_change(written: str, other: str):
    assert canonical(SOURCE.replace(written, other)) == canonical(SOURCE) != canonical(SOURCE.replace("42", "43"))
    assert SOURCE.count(written) == 1


@pytest.mark.parametrize(
    ("written", "other"),
    [
        ("42", "43"), ("# no comment", "# none"), ("answer", "reply"), ("answer(given)", "answer(one)"),
        ("text = ", "one = "), ("print(one, text)", "print(text, one)"), ("one + inner", "inner + one"),
        ("inner in one if one", "inner in one if inner"), ("one: -one", "one: -two"), ("{one: 42", "{given: 42"),
    ],
)  # fmt: skip
def test_what_it_does_is(written: str, other: str):
    assert canonical(SOURCE.replace(written, other)) != canonical(SOURCE)


def test_a_variable_that_is_read_after_its_loop_keeps_its_name():
    source = "def last(rows):\n    for row in rows:\n        pass\n    return row\n"
    assert "row" in canonical(source)
    assert canonical(source.replace("for row", "for cell")) != canonical(source)


def test_loops_of_a_module_and_of_methods_count_alike():
    module = "for one in rows:\n    print(one)\n\nclass A:\n    def f(self):\n        return [one for one in self]\n"
    assert canonical(module.replace("one", "row")) == canonical(module)
