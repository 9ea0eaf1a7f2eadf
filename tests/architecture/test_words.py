"""Phrases that README, docs, help and messages once had too many of, and the plain word for each."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLAIN = {
    r"\bwhat is none\b": "say what is not accepted",
    r"\bwhose pieces\b": "which tokenizer it uses",
    r"\bof its own making\b": "its own",
    r"\b(goes|go) on from here\b": "resumes",
    r"\b(give|given) the same command again\b|\bsame command is given again\b": "run the same command again",
    r"\bnobody measured\b": "not measured",
    r"\bunasked\b": "by default",
    r"\banew\b": "again",
    r"\bdepend on company\b|\bin (any|other|every kind of) company\b": "in a batch with other texts",
    r"\banswer without reading\b": "a constant answer",
    r"\bwith a clear word\b": "with an error message",
    r"\bmake the artifact again\b": "recreate the artifact",
    r"\bby itself alone\b": "alone",
    r"\btold beside\b|\bstands? beside\b": "reported with",
    r"\bgoes on all the same\b": "continues anyway",
    r"\bstays? behind the teacher\b": "is below the teacher's quality",
}
# Decisions are kept as they were written; the API page is made from docstrings.
PAGES = [
    ROOT / "README.md", ROOT / "CHANGELOG.md",
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if not {"decisions", "api.md"} & {*page.parts}),
]  # fmt: skip
SOURCES = sorted((ROOT / "src" / "leanformer").rglob("*.py"))


def dialect(text: str) -> list[str]:
    """What a text says in the old way, each with the plain word; lines may break within a phrase."""
    joined = " ".join(text.split())
    return [
        f"{match[0]!r}: {plain}" for pattern, plain in PLAIN.items() for match in re.finditer(pattern, joined, re.I)
    ]


def messages(source: str) -> str:
    """All strings of a module but docstrings, and the docstrings of commands, which are their help."""
    tree = ast.parse(source)
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, holders) and node.body and isinstance(node.body[0], ast.Expr)
    }
    strings = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return "\n".join(node.value for node in strings if id(node) not in docstrings)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_use_the_fields_words(page: Path):
    assert dialect(page.read_text(encoding="utf-8")) == []


@pytest.mark.slow
def test_messages_use_the_fields_words():
    found = {
        str(path.relative_to(ROOT)): phrases
        for path in SOURCES
        if (phrases := dialect(messages(path.read_text(encoding="utf-8"))))
    }
    assert found == {}


def test_help_uses_the_fields_words():
    texts = [
        ast.get_docstring(node) or ""
        for path in sorted((ROOT / "src" / "leanformer" / "cli").glob("*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]
    assert len(texts) > 15
    assert dialect("\n".join(texts)) == []


def test_a_phrase_is_found_across_lines_and_a_plain_sentence_is_left_alone():
    assert dialect("the run is killed; give the same\n  command again") == [
        "'give the same command again': run the same command again"
    ]
    assert dialect("It renews the token, next to a company's name, and goes on to the next step.") == []
    assert messages('"""anew"""\ndef f():\n    """anew"""\n    return "begin anew"') == "begin anew"
