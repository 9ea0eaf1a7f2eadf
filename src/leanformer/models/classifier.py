"""An encoder with a classification head, for texts or for tokens."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from leanformer.models.encoder import Encoder, EncoderOutput
from leanformer.models.heads import make_head
from leanformer.shapes.encoder import EncoderConfig


@dataclass(frozen=True)
class ClassifierOutput:
    """Logits `[B, labels]`, or `[B, S, labels]` for a head without pooling, and the encoder's outputs."""

    logits: Tensor
    encoded: EncoderOutput


class Classifier(nn.Module):
    """A sequence or token classifier, initialised like BERT: normal, standard deviation 0.02; biases zero."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.head = make_head(config)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
                if module.padding_idx is not None:
                    nn.init.zeros_(module.weight[module.padding_idx].detach())

    def forward(self, ids: Tensor, mask: Tensor, token_types: Tensor | None = None) -> Tensor:
        """Logits `[B, labels]` or `[B, S, labels]` for ids `[B, S]` and mask `[B, S]`."""
        return self.outputs(ids, mask, token_types).logits

    def outputs(
        self, ids: Tensor, mask: Tensor, token_types: Tensor | None = None, *, with_attentions: bool = False
    ) -> ClassifierOutput:
        """Logits with hidden states and, on request, attention probabilities.

        A model with only one token type ignores the token types that the tokenizer gives.
        """
        token_types = token_types if self.config.token_types > 1 else None
        encoded = self.encoder(ids, mask, token_types, with_attentions=with_attentions)
        return ClassifierOutput(self.head(encoded.last, mask), encoded)


def parameter_counts(model: nn.Module) -> dict[str, int]:
    """Number of parameters: in total, and without embedding tables."""
    tables = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "parameters_without_embeddings": sum(p.numel() for p in model.parameters() if id(p) not in tables),
    }
