"""Conversion of the attention of selected layers to another kind, with the same weights.

What: selected layers compute attention in a different way; the query, key, value and output projections keep their
    weights. Nothing is trained. `linear` sums keys and values once for all queries, so its cost grows linearly with the
    length of the text instead of quadratically.
Paper: Katharopoulos, Vyas, Pappas and Fleuret 2020, Transformers are RNNs (arXiv 2006.16236).
Helps: with long texts, after further training (compress.distil after this step). With head size D, the matrix products
    of attention need fewer operations from D tokens on.
Hurts: quality drops at once, often to chance level, because the weights were trained with softmax attention; the step
    reports the dev score before and after. Below a few hundred tokens there is little to gain. The result runs in
    PyTorch only; export.onnx refuses it.
Needs: torch; a model of a mapped family without rotary embeddings, windows or relative position biases.
Example: {step: compress.convert_attention, kind: linear, rung: linear attention}
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from leanformer.artifact import Artifact
from leanformer.errors import CheckpointError, RecipeError
from leanformer.shapes.attention import MAIN
from leanformer.step import Context, Make, record

if TYPE_CHECKING:
    from leanformer.models.classifier import Classifier


@dataclass(frozen=True)
class ConvertAttention(Make):
    """Convert the attention of the artifact's layers to another kind; nothing is trained."""

    kind: str = "linear"  # the new kind: "linear", or "softmax" to convert back
    layers: tuple[int, ...] | None = None  # layers to convert, counted from 1; None: all

    technique: ClassVar[str] = "compress.convert_attention"
    consumes: ClassVar[tuple[str, ...]] = ("encoder",)
    produces: ClassVar[str] = "encoder"

    def __post_init__(self) -> None:
        self.one_of("kind", MAIN)
        self.need(self.layers is None or len(self.layers) > 0, "layers names at least one layer")
        super().__post_init__()

    def without_graph(self, before: str | None) -> str | None:
        if MAIN[self.kind].has_graph:
            return None
        # If only some layers are converted, a later step may or may not keep them.
        return before if self.layers is not None else f"{self.kind} attention"

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        import torch

        from leanformer.models.store import read_model, write_classifier
        from leanformer.models.writing import TOKENIZER
        from leanformer.train.judging import task_again

        torch.set_num_threads(context.threads)
        model = read_model(artifact)
        chosen = self._chosen(len(model.config.layers))
        converted = convert(model, chosen, self.kind)
        result: dict[str, Any] = {"layers": [layer + 1 for layer in chosen]}
        if context.data.dev is not None:
            result["dev"] = [round(figure(classifier, artifact, context), 6) for classifier in (model, converted)]
            before, after = result["dev"]
            context.say(f"{self.kind} attention in {len(chosen)} layers: {before:.4f} on dev before, {after:.4f} after")
        entry = record(self, artifact) | {"result": result, "shape": converted.config.to_json()["layers"]}
        return write_classifier(
            converted, output, task=task_again(converted, artifact, context), tokenizer=artifact.file(TOKENIZER),
            max_tokens=artifact.max_tokens, history=[*artifact.history, entry],
        )  # fmt: skip

    def _chosen(self, depth: int) -> list[int]:
        """The layers to convert, from 0."""
        chosen = range(1, depth + 1) if self.layers is None else self.layers
        if any(not 1 <= layer <= depth for layer in chosen) or len(set(chosen)) < len(chosen):
            raise RecipeError(f"{self.technique}: layers {list(chosen)} are not different numbers from 1 to {depth}")
        return sorted(layer - 1 for layer in chosen)


def convert(model: Classifier, layers: list[int], kind: str) -> Classifier:
    """Return a copy with the same mode and weights, whose `layers` (from 0) use attention of `kind`.

    Raises `RecipeError` if the model has layers that this kind of attention does not support.
    """
    from leanformer.models.classifier import Classifier

    shapes = tuple(
        replace(shape, attention=MAIN[kind]()) if index in layers else shape
        for index, shape in enumerate(model.config.layers)
    )
    try:
        config = replace(model.config, layers=shapes)
    except CheckpointError as error:
        raise RecipeError(
            f"compress.convert_attention: a {model.config.family} model cannot be converted: {error}\n"
            "  remedy: choose a model with absolute positions alone, such as BERT, RoBERTa, DistilBERT or ELECTRA"
        ) from error
    converted = Classifier(config)
    converted.load_state_dict(model.state_dict())
    return converted.train(model.training)


def figure(model: Classifier, artifact: Artifact, context: Context) -> float:
    """The dev figure of a model, using the artifact's tokenizer."""
    from leanformer.models.store import device_of
    from leanformer.models.writing import TOKENIZER
    from leanformer.tokenizer import Tokenizer
    from leanformer.train.judging import Judge

    assert context.data.dev is not None
    device, tokenizer = device_of(context.device), Tokenizer(artifact.file(TOKENIZER), artifact.max_tokens)
    value = Judge(model.to(device), context.data.dev.for_task(artifact.task), tokenizer, device).figure()
    model.cpu()
    return value
