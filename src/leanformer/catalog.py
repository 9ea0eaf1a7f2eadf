"""Every technique on one line. A card is read from its module's docstring, so that listing imports nothing heavy."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from leanformer.errors import RecipeError

TECHNIQUES = {
    "compress.bilstm": "leanformer.compress.recurrent.distil:BiLstmStudent",
    "compress.distil": "leanformer.compress.distil.distil:Distil",
    "compress.prune": "leanformer.compress.prune.prune:Prune",
    "compress.prune_post_training": "leanformer.compress.prune.prune_post_training:PrunePostTraining",
    "compress.trim_vocabulary": "leanformer.compress.vocabulary.trim_vocabulary:TrimVocabulary",
    "export.cascade": "leanformer.combine.cascade:Cascade",
    "export.onnx": "leanformer.export.onnx:Onnx",
    "export.int8": "leanformer.export.int8:Int8",
}

FIELDS = ("What", "Paper", "Helps", "Hurts", "Needs", "Example")


@dataclass(frozen=True)
class Option:
    """One option of a technique, as written in its source: name, type, default and what it means."""

    name: str
    type: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Card:
    """What a reader wants to know before using a technique; the fields of `FIELDS`, in one paragraph each."""

    name: str
    title: str
    fields: dict[str, str]
    options: tuple[Option, ...]


def load(name: str) -> type[Any]:
    """The dataclass of a technique. Raises `RecipeError` for a name that the catalogue lacks."""
    module, _, attribute = _entry(name).partition(":")
    return getattr(import_module(module), attribute)  # type: ignore[no-any-return]


@cache
def card(name: str) -> Card:
    """The card of a technique, from its source alone, read once. Raises `ValueError` when a field is missing."""
    module, _, attribute = _entry(name).partition(":")
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text(encoding="utf-8")
    tree = ast.parse(source)
    title, _, rest = (ast.get_docstring(tree) or "").partition("\n\n")
    found = {
        match[1]: " ".join(match[2].split())
        for match in re.finditer(rf"^({'|'.join(FIELDS)}): (.*?)(?=^(?:{'|'.join(FIELDS)}): |\Z)", rest, re.M | re.S)
    }
    if missing := [one for one in FIELDS if not found.get(one)]:
        raise ValueError(f"the card of {name} lacks {', '.join(missing)}")
    (definition,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == attribute)
    return Card(name, title.strip().rstrip("."), found, tuple(_options(definition, source.splitlines())))


def _options(definition: ast.ClassDef, lines: list[str]) -> list[Option]:
    options = []
    for node in definition.body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        kind = ast.unparse(node.annotation)
        if kind.startswith("ClassVar"):
            continue
        _, _, meaning = lines[(node.end_lineno or node.lineno) - 1].partition("  # ")
        default = "" if node.value is None else ast.unparse(node.value)
        options.append(Option(node.target.id, kind, default, meaning.strip()))
    return options


def _entry(name: str) -> str:
    if name not in TECHNIQUES:
        raise RecipeError(f"unknown technique {name!r}; one of {', '.join(sorted(TECHNIQUES))}")
    return TECHNIQUES[name]
