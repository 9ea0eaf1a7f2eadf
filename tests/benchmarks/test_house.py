"""What is counted of the code: comparisons with a form or a format, options, names and circles."""

from __future__ import annotations

import ast

from benchmarks.house import FORMATS, FORMS, circles, compared, fields_of, imports, named

CODE = """
# task.answer == "score" in a comment
if task.answer == "score" or task.answer in ("label", "tags"):
    text = 'task.answer == "score"'
elif "labels" != answer and artifact.format == "onnx":
    for one in [one for one in ones]:
        pass
match format:
    case "bilstm":
        pass
"""


def test_comparisons_are_counted_by_line_and_not_in_comments() -> None:
    tree = ast.parse(CODE)
    assert compared(tree, "answer", FORMS) == [3, 5]
    assert compared(tree, "format", FORMATS) == [5, 9]
    assert named(tree, "one") == 3 and named(tree, "ones") == 1


def test_options_are_the_fields_of_the_class_itself() -> None:
    tree = ast.parse(
        "class Distil:\n    kind: ClassVar[str] = 'x'\n    hard: float = 0.0\n    def run(self): y: int = 1\n"
    )
    assert fields_of({"a.py": tree}, "Distil") == ["hard"] and fields_of({"a.py": tree}, "Prune") == []


def test_circles_are_found_also_within_functions() -> None:
    trees = {
        "a/__init__.py": ast.parse(""),
        "a/one.py": ast.parse("from leanformer.a.two import x"),
        "a/two.py": ast.parse("def f():\n    from leanformer.a import one"),
        "b.py": ast.parse("if TYPE_CHECKING:\n    import leanformer.c"),
        "c.py": ast.parse("import leanformer.b"),
    }
    assert circles(imports(trees, late=False)) == []
    assert circles(imports(trees, late=True)) == [["a/one.py", "a/two.py"]]
