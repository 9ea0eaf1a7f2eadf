"""Soft prompts: learnt vectors before the embedded text, whose own places stay (Lester et al. 2021, arXiv 2104.08691).

They are put after the norm of the embeddings, and begin as embeddings of words drawn at random. The head does not see
their outputs.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leanformer.models.classifier import Classifier
from leanformer.models.encoder import Embeddings, Encoder, EncoderOutput
from leanformer.train.adapters.staying import Staying, layers_of, swap


class Vectors(nn.Module):
    """Vectors that are parameters, `[length, hidden]`."""

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.vectors = nn.Parameter(start)

    def forward(self) -> Tensor:
        return self.vectors


class PromptedEmbeddings(nn.Module):
    """Embeddings of ids whose first `length` stand for the prompt, which takes their place."""

    def __init__(self, inner: Embeddings, prompt: nn.Module, length: int) -> None:
        super().__init__()
        self.inner, self.prompt, self.length = inner, prompt, length

    def forward(self, ids: Tensor, token_types: Tensor | None = None) -> Tensor:
        types = None if token_types is None else token_types[:, self.length :]
        embedded = self.inner(ids[:, self.length :], types)
        return torch.cat((self.prompt().expand(len(ids), -1, -1), embedded), dim=1)


class PromptedEncoder(nn.Module):
    """An encoder that reads the prompt before each text; hidden states are those of the text."""

    def __init__(self, inner: Encoder, prompt: nn.Module, length: int) -> None:
        super().__init__()
        swap(inner, "embeddings", PromptedEmbeddings(inner.embeddings, prompt, length))
        self.inner, self.length = inner, length

    def forward(
        self, ids: Tensor, mask: Tensor, token_types: Tensor | None = None, *, with_attentions: bool = False
    ) -> EncoderOutput:
        """See `Encoder.forward`; attentions are those of prompt and text."""
        types = None if token_types is None else F.pad(token_types, (self.length, 0))
        longer = F.pad(mask.bool(), (self.length, 0), value=True)
        found = self.inner(F.pad(ids, (self.length, 0)), longer, types, with_attentions=with_attentions)
        return EncoderOutput(tuple(state[:, self.length :] for state in found.hidden_states), found.attentions)


class SoftPrompt(Staying):
    """`length` vectors before each text."""

    def __init__(self, length: int = 10) -> None:
        super().__init__()
        self.length = length

    def prompt(self, start: Tensor) -> nn.Module:
        """A module that gives the vectors `[length, hidden]`, from those to start with."""
        return Vectors(start)

    def put(self, model: Classifier) -> list[nn.Parameter]:
        layers_of(model)
        with torch.no_grad():
            words = torch.randint(model.config.vocabulary, (1, self.length))
            start = model.encoder.embeddings.eval()(words)[0].clone()
        prompt = self.prompt(start)
        swap(model, "encoder", PromptedEncoder(model.encoder, prompt, self.length))
        return list(prompt.parameters())
