"""All formats of artifacts, and what can be done with each. Code looks it up here and never compares format names.

A function is named as text ("module:function"), so that the table imports nothing heavy. An operation that a format
does not support is a `Refusal`: the reason and the remedy shown to the user. No field has a default, so a new format
has to define all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from leanformer.errors import ArtifactError


@dataclass(frozen=True)
class Refusal:
    """Why a format does not support something, as the rest of "PATH: ...", and the remedy; `{format}` is its name.

    If the remedy does not apply to some artifacts, `unless` names a function of `(artifact, place)` that raises another
    error for these.
    """

    why: str
    remedy: str
    unless: str | None = None


@dataclass(frozen=True)
class Format:
    """One format of artifact; see `architecture.md` for what each one holds.

    Attributes:
        opens: makes the predictor, from `(artifact, loading.Opening)`.
        extra: the extra needed for that; None if the base install is enough.
        runs: what runs it, in words. rung: the runtime shown for a rung, with engine, precision and threads.
        light: it is a graph for the light runtime, and can be tuned for a machine.
        module: reads the PyTorch module, with its padding id and its positions, from `(artifact)`.
        shape: reads the shape for counting operations; None if there is none.
        graph: makes the graph for our runtime (`export.onnx`), from `(artifact)`.
        standard: writes the standard ONNX file, from `(artifact, path, token_types)`.
        teaches: it may be the model that `compress` and `search` start from.
        layers: it has the layers of our encoder: heads and units to prune, states and attentions to distil from.
        foreign: it is a checkpoint of a family that is not mapped, kept unchanged.
        members: it contains complete artifacts.
        tokenizer: makes what turns texts into rows, without the model, from `(artifact)`.
        whole_texts: it reads whole texts, whatever the artifact's `max_tokens` (that of the model it was made from).
    """

    opens: str
    extra: str | None
    runs: str
    rung: str
    light: bool | Refusal
    module: str | Refusal
    shape: str | None
    graph: str | Refusal
    standard: str | Refusal
    teaches: bool | Refusal
    layers: bool
    foreign: bool
    members: bool
    tokenizer: str
    whole_texts: bool


class Stored(Protocol):
    """What the table is asked about: an `Artifact`, which is defined in a module above this one."""

    @property
    def path(self) -> Path: ...
    @property
    def format(self) -> str: ...


_NOT_LIGHT = Refusal(
    "format {format!r} is not run by the light runtime",
    "make a graph of it with leanformer compress (recipe `quick` does not train)",
)
_NOT_LIGHT_YET = replace(_NOT_LIGHT, unless="leanformer.shapes.of_artifact:need_graphs")
_NOT_TORCH = Refusal("format {format!r} is not run by PyTorch", "open it with leanformer.load")
_UNMAPPED = Refusal(
    "its family is not mapped, so no graph can be written", "give a model of a mapped family (docs/families.md)"
)
_SEVERAL = Refusal("a cascade is no single graph", "export the models it is made of")
_NO_GRAPH = Refusal(
    "a model on n-grams has no ONNX graph: n-grams are no operators of ONNX",
    "run it with leanformer.load, which needs only numpy",
)
_FILE = "leanformer.cascade.rows:tokenizer_of_file"

FORMATS = {
    "encoder": Format(
        opens="leanformer.loading:open_torch", extra="train", runs="PyTorch", rung="PyTorch fp32, batches",
        light=_NOT_LIGHT_YET,
        module="leanformer.models.predictor:read_encoder", shape="leanformer.shapes.of_artifact:of_encoder",
        graph="leanformer.export.onnx:graph_of_encoder", standard="leanformer.export.standard:write_encoder",
        teaches=True, layers=True, foreign=False, members=False, tokenizer=_FILE, whole_texts=False,
    ),
    "bilstm": Format(
        opens="leanformer.loading:open_torch", extra="train", runs="PyTorch", rung="PyTorch fp32, batches",
        light=_NOT_LIGHT,
        module="leanformer.models.predictor:read_recurrent", shape="leanformer.shapes.of_artifact:of_recurrent",
        graph="leanformer.export.onnx:graph_of_recurrent", standard="leanformer.export.standard:write_recurrent",
        teaches=True, layers=False, foreign=False, members=False, tokenizer=_FILE, whole_texts=False,
    ),
    "onnx": Format(
        opens="leanformer.loading:open_graph", extra=None, runs="ONNX Runtime",
        rung="{engine} {precision}, {threads} one-thread workers", light=True,
        module=_NOT_TORCH, shape="leanformer.shapes.of_artifact:of_graph",
        graph=Refusal("is an ONNX graph already", "use it as it is"),
        standard="leanformer.export.standard:write_own",
        teaches=Refusal("an ONNX graph cannot be compressed further", "give the model it was made from"),
        layers=False, foreign=False, members=False, tokenizer=_FILE, whole_texts=False,
    ),
    "transformers": Format(
        opens="leanformer.loading:open_torch", extra="train", runs="PyTorch", rung="PyTorch fp32, batches",
        light=_NOT_LIGHT,
        module="leanformer.models.predictor:read_foreign", shape=None,
        graph=_UNMAPPED, standard=_UNMAPPED,
        teaches=True, layers=False, foreign=True, members=False, tokenizer=_FILE, whole_texts=False,
    ),
    "cascade": Format(
        opens="leanformer.loading:open_members", extra=None, runs="cascade",
        rung="cascade, {threads} one-thread workers",
        light=Refusal("is a cascade; leanformer.load runs it", "tune its models before the cascade is made"),
        module=_NOT_TORCH, shape=None,
        graph=_SEVERAL, standard=_SEVERAL,
        teaches=Refusal(
            "a cascade cannot be compressed", "compress its models, and make a cascade of the results"
        ),
        layers=False, foreign=False, members=True, tokenizer="leanformer.cascade.rows:tokenizer_of_members",
        whole_texts=False,
    ),
    "ngrams": Format(
        opens="leanformer.loading:open_ngrams", extra=None, runs="n-grams", rung="n-grams, {engine} {precision}",
        light=Refusal("is a model on n-grams, for which there is nothing to tune", "use it as it is"),
        module=_NOT_TORCH, shape=None, graph=_NO_GRAPH, standard=_NO_GRAPH,
        teaches=Refusal("a model on n-grams cannot be compressed further", "give the model it was distilled from"),
        layers=False, foreign=False, members=False, tokenizer="leanformer.tiny.rows:tokenizer_of_characters",
        whole_texts=True,
    ),
}  # fmt: skip


def format_named(name: str, place: object) -> Format:
    """The format with that name. Raises `ArtifactError`, naming `place`, if it is not in the table."""
    if name not in FORMATS:
        raise ArtifactError(
            f"{place}: format {name!r} is unknown to this Leanformer, which has {', '.join(FORMATS)}\n"
            "  remedy: upgrade Leanformer, or recreate the artifact with this one"
        )
    return FORMATS[name]


def format_of(artifact: Stored) -> Format:
    """The artifact's format. Raises `ArtifactError` if it is not in the table."""
    return format_named(artifact.format, artifact.path)


def require(artifact: Stored, question: str, place: object = None) -> None:
    """Raise `ArtifactError` if the artifact's format has a `Refusal` for `question`.

    Args:
        question: a field of `Format`. place: what the user calls the artifact; None: its path.
    """
    answer = getattr(format_of(artifact), question)
    if isinstance(answer, Refusal):
        place, why = artifact.path if place is None else place, answer.why.format(format=artifact.format)
        if answer.unless is not None:
            _function(answer.unless)(artifact, place)
        raise ArtifactError(f"{place}: {why}\n  remedy: {answer.remedy}")


def function_of(artifact: Stored, question: str) -> Any:
    """The function that the artifact's format has for `question`. Raises `ArtifactError` if it refuses."""
    require(artifact, question)
    return _function(getattr(format_of(artifact), question))


def _function(named: str) -> Any:
    module, _, name = named.partition(":")
    return getattr(import_module(module), name)


def can(artifact: Stored, question: str) -> bool:
    """Whether the artifact's format has something other than a `Refusal` for `question`."""
    return not isinstance(getattr(format_of(artifact), question), Refusal)
