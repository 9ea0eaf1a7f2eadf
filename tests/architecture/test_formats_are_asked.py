"""What can be done with a format is asked of `leanformer.formats`; nothing else looks at a format's name."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "leanformer"
# A step's own list of the formats that it takes, and the reader of one format.
ALLOWED = {"formats.py", "recipe/run.py", "models/bilstm_store.py"}


def looks_at_a_format(source: str) -> bool:
    """Whether `.format` is compared with something, matched, or used as a key."""
    for node in ast.walk(ast.parse(source)):
        looking: list[ast.AST] = [node] if isinstance(node, ast.Compare) else []
        if isinstance(node, ast.Match):
            looking = [node.subject]
        elif isinstance(node, ast.Subscript):
            looking = [node.slice]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            looking = list(node.args)
        for part in (part for place in looking for part in ast.walk(place)):
            if isinstance(part, ast.Attribute) and part.attr == "format":
                return True
    return False


def test_nothing_else_looks_at_the_name_of_a_format():
    looking = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if looks_at_a_format(path.read_text(encoding="utf-8"))
    }
    assert looking <= ALLOWED, f"ask leanformer.formats instead: {', '.join(sorted(looking - ALLOWED))}"


def test_it_would_be_seen():
    for source in ("a.format == 'onnx'", "b.format in ('x', 'y')", "{'onnx': 1}.get(a.format, 2)", "T[a.format]"):
        assert looks_at_a_format(source), source
    assert not looks_at_a_format("print(a.format, '{}'.format(1))")
