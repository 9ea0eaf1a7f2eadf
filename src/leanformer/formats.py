"""Every format of artifact, and what can be done with it. Code asks this table and never compares a format's name.

A function is named as text ("module:function"), so that the table imports nothing heavy. What a format cannot do is a
`Refusal`: the reason and the remedy that the user reads. No field has a default: a new format answers every question.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from leanformer.errors import ArtifactError


@dataclass(frozen=True)
class Refusal:
    """Why a format cannot do something, as the rest of "PATH: ...", and what to do instead; `{format}` is its name.

    Where the remedy is none for some artifacts, `unless` names what refuses these in other words, from
    `(artifact, place)`.
    """

    why: str
    remedy: str
    unless: str | None = None


@dataclass(frozen=True)
class Format:
    """One format of artifact; see `architecture.md` for what each one holds.

    Attributes:
        opens: makes the predictor, from `(artifact, loading.Opening)`.
        extra: the extra that this needs; None where the base install is enough.
        runs: what runs it, in words. rung: the same as the runtime of a rung, with engine, precision and threads.
        light: it is a graph that the light runtime runs, and that can be tuned for a machine.
        module: reads the PyTorch module, with its padding id and its positions, from `(artifact)`.
        shape: reads the shape that its operations are counted from; None where nothing tells it.
        graph: makes the graph for our runtime (`export.onnx`), from `(artifact)`.
        standard: writes the standard ONNX file, from `(artifact, path, token_types)`.
        teaches: it may be the model that `compress` and `search` start from.
        layers: it has the layers of our encoder: heads and units to cut, states and attentions to follow.
        foreign: it is a checkpoint of a family that is not mapped, kept as it came.
        members: it holds whole artifacts.
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


class Stored(Protocol):
    """What is asked about: an `Artifact`, which is defined above this module."""

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

FORMATS = {
    "encoder": Format(
        opens="leanformer.loading:open_torch", extra="train", runs="PyTorch", rung="PyTorch fp32, batches",
        light=_NOT_LIGHT_YET,
        module="leanformer.models.predictor:read_encoder", shape="leanformer.shapes.of_artifact:of_encoder",
        graph="leanformer.export.onnx:graph_of_encoder", standard="leanformer.export.standard:write_encoder",
        teaches=True, layers=True, foreign=False, members=False,
    ),
    "bilstm": Format(
        opens="leanformer.loading:open_torch", extra="train", runs="PyTorch", rung="PyTorch fp32, batches",
        light=_NOT_LIGHT,
        module="leanformer.models.predictor:read_recurrent", shape="leanformer.shapes.of_artifact:of_recurrent",
        graph="leanformer.export.onnx:graph_of_recurrent", standard="leanformer.export.standard:write_recurrent",
        teaches=True, layers=False, foreign=False, members=False,
    ),
    "onnx": Format(
        opens="leanformer.loading:open_graph", extra=None, runs="ONNX Runtime",
        rung="{engine} {precision}, {threads} one-thread workers", light=True,
        module=_NOT_TORCH, shape="leanformer.shapes.of_artifact:of_graph",
        graph=Refusal("is an ONNX graph already", "use it as it is"),
        standard="leanformer.export.standard:write_own",
        teaches=Refusal("an ONNX graph cannot be compressed further", "give the model it was made from"),
        layers=False, foreign=False, members=False,
    ),
    "transformers": Format(
        opens="leanformer.loading:open_torch", extra="train", runs="PyTorch", rung="PyTorch fp32, batches",
        light=_NOT_LIGHT,
        module="leanformer.models.predictor:read_foreign", shape=None,
        graph=_UNMAPPED, standard=_UNMAPPED,
        teaches=True, layers=False, foreign=True, members=False,
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
        layers=False, foreign=False, members=True,
    ),
}  # fmt: skip


def format_named(name: str, place: object) -> Format:
    """The format of that name. Raises `ArtifactError` that names `place` for one that is not in the table."""
    if name not in FORMATS:
        raise ArtifactError(
            f"{place}: format {name!r} is unknown to this Leanformer, which has {', '.join(FORMATS)}\n"
            "  remedy: upgrade Leanformer, or recreate the artifact with this one"
        )
    return FORMATS[name]


def format_of(artifact: Stored) -> Format:
    """The artifact's format. Raises `ArtifactError` for one that is not in the table."""
    return format_named(artifact.format, artifact.path)


def require(artifact: Stored, question: str, place: object = None) -> None:
    """Raise `ArtifactError` for an artifact whose format answers the question with a `Refusal`.

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
    """The function that the artifact's format names for a question. Raises `ArtifactError` where it refuses."""
    require(artifact, question)
    return _function(getattr(format_of(artifact), question))


def _function(named: str) -> Any:
    module, _, name = named.partition(":")
    return getattr(import_module(module), name)


def can(artifact: Stored, question: str) -> bool:
    """Whether the artifact's format answers the question with something other than a `Refusal`."""
    return not isinstance(getattr(format_of(artifact), question), Refusal)
