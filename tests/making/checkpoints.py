"""Stock checkpoints saved on the spot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers import BertConfig, BertForSequenceClassification, PreTrainedModel

from tests.making.tiny import LABELS, VOCABULARY, roughen, tiny_tokenizer

SIZES: dict[str, Any] = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 48,
}


def save(model: PreTrainedModel, folder: Path, *, tokenizer: bool = True) -> Path:
    roughen(model)
    model.eval().save_pretrained(folder)
    if tokenizer:
        tiny_tokenizer(folder)
    return folder


def save_bert(folder: Path, **options: Any) -> Path:
    names = options.pop("names", LABELS)
    options |= {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}
    return save(BertForSequenceClassification(BertConfig(**(SIZES | options))), folder)


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
