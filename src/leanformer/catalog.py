"""Every technique in one line. A card is read from its module's docstring, so listing imports nothing heavy.

Other packages add techniques through the entry point group `leanformer.techniques`, name to "module:Class" as here.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from leanformer.errors import RecipeError
from leanformer.shapes.mixers import REFERENCE as MIXERS

TECHNIQUES = {
    "compress.bilstm": "leanformer.compress.recurrent.distil:BiLstmStudent",
    "compress.convert_attention": "leanformer.compress.shape.convert_attention:ConvertAttention",
    "compress.distil": "leanformer.compress.distil.distil:Distil",
    "compress.exits": "leanformer.compress.distil.exits:TrainExits",
    "compress.extract": "leanformer.compress.supernet.extract:Extract",
    "compress.hashed": "leanformer.compress.ngrams.hashed:HashedStudent",
    "compress.layer_drop": "leanformer.compress.prune.layer_drop:LayerDrop",
    "compress.linear": "leanformer.compress.ngrams.linear:LinearStudent",
    "compress.pretrain": "leanformer.compress.pretrain.pretrain:Pretrain",
    "compress.prune": "leanformer.compress.prune.prune:Prune",
    "compress.prune_post_training": "leanformer.compress.prune.prune_post_training:PrunePostTraining",
    "compress.supernet": "leanformer.compress.supernet.supernet:Supernet",
    "compress.trim_vocabulary": "leanformer.compress.vocabulary.trim_vocabulary:TrimVocabulary",
    "curate.duplicates": "leanformer.curate.duplicates:Duplicates",
    "export.cascade": "leanformer.combine.cascade:Cascade",
    "export.exits": "leanformer.combine.exits:CalibrateExits",
    "export.onnx": "leanformer.export.onnx:Onnx",
    "export.int8": "leanformer.export.int8:Int8",
    "train.fine_tune": "leanformer.finetune.fine_tune:FineTune",
}

# Techniques that are here for comparison: file and function or class. No recipe has them as a step.
_ADAPTERS = {
    "adalora": "AdaLora",
    "adamix": "AdaMix",
    "adapter_drop": "AdapterDrop",
    "compacter": "Compacter",
    "diff_pruning": "DiffPruning",
    "dylora": "DyLora",
    "fish_mask": "FishMask",
    "gated": "Gated",
    "head_only": "HeadOnly",
    "houlsby": "Houlsby",
    "intrinsic": "Intrinsic",
    "p_tuning": "PTuning",
    "parallel": "Parallel",
    "pfeiffer": "Pfeiffer",
    "prefix": "Prefix",
    "projected_attention": "ProjectedAttention",
    "soft_prompt": "SoftPrompt",
}
_COMPRESSION = (
    "compress.prune.blocks:blocks",
    "compress.prune.layerwise_obs:layerwise_obs",
    "compress.prune.low_rank:low_rank",
    "compress.prune.magnitude:magnitude",
    "compress.prune.obert:obert",
    "compress.prune.two_four:two_four",
    "compress.quantise.binary:binary",
    "compress.quantise.bit:BiT",
    "compress.quantise.block_floating:block_floating",
    "compress.quantise.choose_bits:choose_bits",
    "compress.quantise.fp8:fp8",
    "compress.quantise.gobo:gobo",
    "compress.quantise.gptq:gptq",
    "compress.quantise.i_bert:gelu",
    "compress.quantise.layerwise_distillation:layerwise_distillation",
    "compress.quantise.llm_int8:llm_int8",
    "compress.quantise.outlier_suppression:outlier_suppression",
    "compress.quantise.q_bert:q_bert",
    "compress.quantise.smooth_quant:smooth_quant",
    "compress.quantise.ternary:ternary",
    "compress.quantise.word_table:word_table",
    "compress.quantise.xtc:xtc",
    "train.hooks.early_pruning:EarlyPruning",
    "train.hooks.gradual:GradualPruning",
    "train.hooks.group_lasso:GroupLasso",
    "train.hooks.l0:L0Gates",
    "train.hooks.lottery:LotteryTicket",
    "train.hooks.movement:MovementPruning",
    "train.hooks.q8bert:Q8Bert",
    "train.hooks.quant_noise:QuantNoise",
    "train.hooks.regrowth:Regrowth",
    "train.hooks.soft_movement:SoftMovement",
    "train.hooks.stabilised_lottery:StabilisedTicket",
)
REFERENCE = {
    **{f"attention.{kind}": f"leanformer.models.attention.{kind}:{kind}" for kind in MIXERS},
    **{f"adapter.{kind}": f"leanformer.train.adapters.{kind}:{name}" for kind, name in _ADAPTERS.items()},
    **{code.partition(":")[0]: f"leanformer.{code}" for code in _COMPRESSION},
}

ENTRY_POINTS = "leanformer.techniques"
_NO_OPTIONS = ("abc", "leanformer.step", "leanformer.options")
FIELDS = ("What", "Paper", "Helps", "Hurts", "Needs", "Example")


@dataclass(frozen=True)
class Option:
    """One option of a technique as written in the source: name, type, default, meaning, and the group that it is in."""

    name: str
    type: str
    default: str
    meaning: str
    group: str = ""


@dataclass(frozen=True)
class Card:
    """What a reader needs to know before using a technique; the fields of `FIELDS`, one paragraph each."""

    name: str
    title: str
    fields: dict[str, str]
    options: tuple[Option, ...]


def names() -> list[str]:
    """The names of all techniques: ours, and those registered by other packages."""
    return sorted({*TECHNIQUES, *_registered(tuple(sys.path))})


def load(name: str) -> type[Any]:
    """The dataclass of a technique.

    Raises `RecipeError` for a name that is not in the catalogue, or that several packages claim, and for another
    package's technique that cannot be imported or is not a technique.
    """
    module, _, attribute = _entry(name).partition(":")
    with _blaming(name):
        kind = getattr(import_module(module), attribute)
        if name not in TECHNIQUES:
            _check(name, kind)
    return kind  # type: ignore[no-any-return]


def card(name: str) -> Card:
    """The card of a technique, parsed from its source alone and cached.

    Raises `ValueError` if a field is missing, and `RecipeError` as `load` does.
    """
    with _blaming(name):
        return _card(name, _entry(name))


def title(name: str) -> str:
    """What a technique is in one line; of a reference technique, the first line of its file.

    Raises as `card` does.
    """
    if name not in REFERENCE:
        return card(name).title
    first = (ast.get_docstring(_Module(REFERENCE[name].partition(":")[0]).tree) or "").partition("\n")[0]
    return first.rstrip(".")


@cache
def _card(name: str, entry: str) -> Card:
    module, _, attribute = entry.partition(":")
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
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"no module named {name!r}")
        source = Path(spec.origin).read_text(encoding="utf-8")
        self.tree, self.lines = ast.parse(source), source.splitlines()

    def options(self, name: str) -> dict[str, Option]:
        """The options of a class by name, inherited ones first, in the order of its fields."""
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
            if isinstance(node.value, ast.Call):  # `fit_options.part`
                default = "None"
            before = known.get(key, Option(key, kind, default, ""))
            known[key] = Option(key, kind, default, meaning.strip() or before.meaning, before.group)
        return {key: replace(option, group=option.group or group) for key, option in known.items()}

    def _imported(self, name: str) -> dict[str, Option]:
        for node in self.tree.body:
            if isinstance(node, ast.ImportFrom) and node.module and name in {alias.name for alias in node.names}:
                return {} if node.module in _NO_OPTIONS else _Module(node.module).options(name)
        return {}


def _entry(name: str) -> str:
    claims = _registered(tuple(sys.path)).get(name, [])
    if len(claims) + (name in TECHNIQUES) > 1:
        others = " and ".join(_package(claim) for claim in claims)
        owner = "Leanformer's own, and " if name in TECHNIQUES else ""
        raise RecipeError(
            f"the technique {name!r} is {owner}registered by {others}\n"
            f"  remedy: uninstall {'it' if len(claims) == 1 else 'one of them'}, or ask its authors for another name"
        )
    if not claims and name not in TECHNIQUES:
        raise RecipeError(f"unknown technique {name!r}; one of {', '.join(names())}")
    return TECHNIQUES[name] if not claims else claims[0].value


@cache
def _registered(paths: tuple[str, ...]) -> dict[str, list[EntryPoint]]:
    """What the packages on these paths register, by name; cached, and nothing is imported."""
    claims: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=ENTRY_POINTS):
        claims.setdefault(point.name, []).append(point)
    return claims


def _package(point: EntryPoint) -> str:
    return "a package" if point.dist is None else f"package {point.dist.name} {point.dist.version}"


@contextmanager
def _blaming(name: str) -> Iterator[None]:
    """Errors in another package's technique name the package; errors in ours are unchanged."""
    try:
        yield
    except RecipeError:
        raise
    except Exception as error:
        if name in TECHNIQUES:
            raise
        (claim,) = _registered(tuple(sys.path))[name]
        raise RecipeError(
            f"{_package(claim)} registers the technique {name!r} as {claim.value}, which cannot be used: "
            f"{type(error).__name__}: {error}\n  remedy: update the package, or uninstall it"
        ) from error


def _check(name: str, kind: Any) -> None:
    """Raises `TypeError` for a class that is not a technique called `name`."""
    from leanformer.step import Curate, Make

    is_step = isinstance(kind, type) and issubclass(kind, Make | Curate)
    if not is_step or not is_dataclass(kind):
        raise TypeError("it is no dataclass derived from leanformer.step.Make or Curate")
    if (called := getattr(kind, "technique", None)) != name:
        raise TypeError(f"its class calls itself {called!r}")
    if any(not isinstance(option.type, str) for option in fields(kind)):
        raise TypeError("its module lacks `from __future__ import annotations`, so the options' types cannot be read")
