"""One tiny artifact of every format, all of the same task."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import DebertaV2Config, DebertaV2ForSequenceClassification

from leanformer.artifact import Artifact
from leanformer.cascade.store import write_cascade
from leanformer.models.store import import_checkpoint
from tests.making.cascades import PLAN
from tests.making.graphs import make_onnx
from tests.making.ngrams import linear_artifact
from tests.making.recurrent import recurrent_artifact, tiny_recurrent
from tests.making.tiny import LABELS, VOCABULARY, roughen, tiny_tokenizer


def unmapped_checkpoint(folder: Path) -> Path:
    """A fine-tuned classifier of a family that is not mapped (DeBERTa), as Hugging Face saves it, in `folder`."""
    torch.manual_seed(0)
    config = DebertaV2Config(
        vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=64, relative_attention=True, pos_att_type=["p2c", "c2p"], type_vocab_size=0,
        id2label=dict(enumerate(LABELS)), label2id={name: i for i, name in enumerate(LABELS)}, pad_token_id=0,
    )  # fmt: skip
    model = DebertaV2ForSequenceClassification(config)
    roughen(model, seed=3)
    model.save_pretrained(folder)
    tiny_tokenizer(folder)
    return folder


def artifacts_of_every_format(folder: Path) -> dict[str, Artifact]:
    """Format -> an artifact of it, below the folder."""
    encoder, graph = make_onnx(folder / "small")
    larger = make_onnx(folder / "large", seed=14)[1]
    return {
        "encoder": encoder,
        "bilstm": recurrent_artifact(folder / "bilstm", model=tiny_recurrent(pooling="ends"), max_tokens=32),
        "onnx": graph,
        "transformers": import_checkpoint(
            str(unmapped_checkpoint(folder / "deberta")), folder / "transformers", max_tokens=32
        ),
        "cascade": write_cascade([graph, larger], PLAN, folder / "cascade"),
        "ngrams": linear_artifact(folder / "ngrams"),
    }
