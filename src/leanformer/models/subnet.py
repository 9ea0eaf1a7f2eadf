"""Smaller models inside a larger one: some of its layers, and the first heads and feed-forward units of each.

A member shares its weights with the whole model, which is trained through it; `extracted` is the member on its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.func import functional_call

from leanformer.models.classifier import Classifier, ClassifierOutput
from leanformer.models.surgery import cut, keep_layers, layer_at, narrow
from leanformer.shapes.encoder import EncoderConfig


@dataclass(frozen=True)
class Member:
    """Which part of a model a member is.

    Attributes:
        layers: the kept layers, from 0, ascending. heads, units: how many of each kept layer, from the first one on.
    """

    layers: tuple[int, ...]
    heads: tuple[int, ...]
    units: tuple[int, ...]

    def config(self, whole: EncoderConfig) -> EncoderConfig:
        """The member's configuration."""
        cuts = zip(self.layers, self.heads, self.units, strict=True)
        shapes = tuple(whole.narrowed_layer(layer, range(heads), units) for layer, heads, units in cuts)
        return replace(whole, layers=shapes)

    def parameters(self, model: Classifier) -> dict[str, Tensor]:
        """The member's parameters by name: views of those of the whole model."""
        state: dict[str, Tensor] = dict(model.named_parameters())
        found = {name: value for name, value in state.items() if not name.startswith("encoder.layers.")}
        for place, (layer, heads, units) in enumerate(zip(self.layers, self.heads, self.units, strict=True)):
            block, prefix = layer_at(model, layer), f"encoder.layers.{layer}."
            attention, ffn = block.attention, block.ffn
            width = slice(heads * model.config.head_size)
            cut(state, f"{prefix}attention", attention.HEAD_ROWS, attention.HEAD_COLUMNS, width)
            cut(state, f"{prefix}ffn", ffn.UNIT_ROWS, ffn.UNIT_COLUMNS, slice(units))
            found |= {
                f"encoder.layers.{place}.{name.removeprefix(prefix)}": value
                for name, value in state.items() if name.startswith(prefix)
            }  # fmt: skip
        return found


def member_of(config: EncoderConfig, depth: float, width: float) -> Member:
    """The member with the share `depth` of the layers and the share `width` of each layer's heads and units.

    Of n layers, d are kept evenly: i * n / d, rounded down, for i from 0 (Hou et al. 2020).
    """
    count = len(config.layers)
    kept = max(1, round(depth * count))
    layers = tuple(i * count // kept for i in range(kept))
    return Member(
        layers,
        tuple(max(1, round(width * config.layers[layer].heads)) for layer in layers),
        tuple(max(1, round(width * config.layers[layer].ffn)) for layer in layers),
    )


def extracted(model: Classifier, member: Member) -> Classifier:
    """A member as a model of its own, in the same mode."""
    return narrow(
        keep_layers(model, member.layers),
        [torch.arange(heads) for heads in member.heads],
        [torch.arange(units) for units in member.units],
    )


class InPlace:
    """A member that runs with the weights of the whole model, so that gradients reach those."""

    def __init__(self, model: Classifier, member: Member) -> None:
        self._model, self._member = model, member
        with torch.device("meta"):  # the modules alone: all parameters are the model's
            self._frame = _Outputs(Classifier(member.config(model.config)))
        self.config = self._frame.inner.config

    def outputs(
        self, ids: Tensor, mask: Tensor, token_types: Tensor | None = None, *, with_attentions: bool = False
    ) -> ClassifierOutput:
        """As of `Classifier`."""
        parameters = {f"inner.{name}": value for name, value in self._member.parameters(self._model).items()}
        self._frame.train(self._model.training)
        found: ClassifierOutput = functional_call(
            self._frame, parameters, (ids, mask, token_types), {"with_attentions": with_attentions}, strict=True
        )
        return found


class _Outputs(nn.Module):
    """Calls `outputs` of a classifier: `functional_call` calls `forward`."""

    def __init__(self, inner: Classifier) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *given: Tensor | None, with_attentions: bool) -> ClassifierOutput:
        return self.inner.outputs(*given, with_attentions=with_attentions)  # type: ignore[arg-type]
