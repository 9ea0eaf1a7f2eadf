"""Every technique on one line. A card is read from its module's docstring, so that listing imports nothing heavy."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from leanformer.errors import RecipeError

TECHNIQUES = {
    "compress.bilstm": "leanformer.compress.recurrent.distil:BiLstmStudent",
    "compress.distil": "leanformer.compress.distil.distil:Distil",
    "compress.layer_drop": "leanformer.compress.prune.layer_drop:LayerDrop",
    "compress.prune": "leanformer.compress.prune.prune:Prune",
    "compress.prune_post_training": "leanformer.compress.prune.prune_post_training:PrunePostTraining",
    "compress.trim_vocabulary": "leanformer.compress.vocabulary.trim_vocabulary:TrimVocabulary",
    "curate.duplicates": "leanformer.curate.duplicates:Duplicates",
    "export.cascade": "leanformer.combine.cascade:Cascade",
    "export.onnx": "leanformer.export.onnx:Onnx",
    "export.int8": "leanformer.export.int8:Int8",
}

_NO_OPTIONS = ("abc", "leanformer.step", "leanformer.options")
FIELDS = ("What", "Paper", "Helps", "Hurts", "Needs", "Example")


@dataclass(frozen=True)
class Option:
    """One option of a technique as its source has it: name, type, default, meaning, and the group that shares it."""

    name: str
    type: str
    default: str
    meaning: str
    group: str = ""


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
    tree = _Module(module)
    title, _, rest = (ast.get_docstring(tree.tree) or "").partition("\n\n")
    paragraphs = {
        match[1]: " ".join(match[2].split())
        for match in re.finditer(rf"^({'|'.join(FIELDS)}): (.*?)(?=^(?:{'|'.join(FIELDS)}): |\Z)", rest, re.M | re.S)
    }
    if missing := [field for field in FIELDS if not paragraphs.get(field)]:
        raise ValueError(f"the card of {name} lacks {', '.join(missing)}")
    return Card(name, title.strip().rstrip("."), paragraphs, tuple(tree.options(attribute).values()))


class _Module:
    """The source of a module, read without importing it."""

    def __init__(self, name: str) -> None:
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin).read_text(encoding="utf-8")
        self.tree, self.lines = ast.parse(source), source.splitlines()

    def options(self, name: str) -> dict[str, Option]:
        """The options of a class by name, those that it inherits first, in the order of its fields."""
        definition = next((n for n in self.tree.body if isinstance(n, ast.ClassDef) and n.name == name), None)
        if definition is None:
            return self._imported(name)
        known: dict[str, Option] = {}
        for base in reversed(definition.bases):
            known |= self.options(ast.unparse(base))
        group = ""
        for node in definition.body:
            if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
                continue
            kind, key = ast.unparse(node.annotation), node.target.id
            if kind.startswith("ClassVar"):
                group = ast.literal_eval(node.value) if key == "group" and node.value is not None else group
                continue
            _, _, meaning = self.lines[(node.end_lineno or node.lineno) - 1].partition("  # ")
            default = "" if node.value is None else ast.unparse(node.value)
            before = known.get(key, Option(key, kind, default, ""))
            known[key] = Option(key, kind, default, meaning.strip() or before.meaning, before.group)
        return {key: replace(option, group=option.group or group) for key, option in known.items()}

    def _imported(self, name: str) -> dict[str, Option]:
        for node in self.tree.body:
            if isinstance(node, ast.ImportFrom) and node.module and name in {alias.name for alias in node.names}:
                return {} if node.module in _NO_OPTIONS else _Module(node.module).options(name)
        return {}


def _entry(name: str) -> str:
    if name not in TECHNIQUES:
        raise RecipeError(f"unknown technique {name!r}; one of {', '.join(sorted(TECHNIQUES))}")
    return TECHNIQUES[name]
