"""The files that others run: a traced graph, fused, in int8 by ONNX Runtime and by NNCF, and CTranslate2's format."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime.quantization import quantize_dynamic
from torch import nn
from transformers import AutoModelForSequenceClassification

from leanformer.artifact import Artifact
from leanformer.batching import pad
from leanformer.machine import instruction_sets
from leanformer.models.hf.checkpoint import write_checkpoint
from leanformer.models.store import read_model, write_tokenizer_config
from leanformer.runtime.engines.openvino_engine import import_openvino, saturates


def write_stock(teacher: Artifact, folder: Path) -> None:
    """The teacher as `save_pretrained` would write it."""
    write_checkpoint(read_model(teacher), teacher.task, folder)
    shutil.copyfile(teacher.file("tokenizer.json"), folder / "tokenizer.json")
    write_tokenizer_config(teacher, folder)


def trace(folder: Path, graph: Path) -> None:
    """Export with a padded example, without which the trace would leave the mask out."""

    class Logits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return self.model(input_ids=input_ids, attention_mask=attention_mask).logits

    ids, mask = torch.ones(2, 7, dtype=torch.long), torch.ones(2, 7, dtype=torch.long)
    mask[0, 4:] = 0
    axes = {"input_ids": {0: "batch", 1: "tokens"}, "attention_mask": {0: "batch", 1: "tokens"}, "logits": {0: "batch"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Logits(), (ids, mask), str(graph), input_names=["input_ids", "attention_mask"], output_names=["logits"],
            dynamic_axes=axes, opset_version=17, dynamo=False,
        )  # fmt: skip


def fuse(traced: Path, graph: Path, heads: int, hidden: int) -> None:
    """ONNX Runtime's own optimiser for BERT: attention, biased GELU, and the norms with their residual sums.

    Raises `RuntimeError` when it found no attention: it would be measured in vain.
    """
    from onnxruntime.transformers.optimizer import optimize_model

    fused = optimize_model(str(traced), model_type="bert", num_heads=heads, hidden_size=hidden, opt_level=0)
    if not fused.get_fused_operator_statistics()["Attention"]:
        raise RuntimeError(f"{traced}: ONNX Runtime's optimiser did not recognise the attention")
    fused.save_model_to_file(str(graph))


def onnxruntime_int8(source: Path, graph: Path, *, per_channel: bool = False) -> None:
    """`quantize_dynamic` with its defaults; of fused operators it does not know the type, so that is told.

    Where products of 8 bits can overflow, its guide ("Quantize ONNX models") has weights in 7 bits: `reduce_range`.
    """
    logging.disable(logging.WARNING)
    try:
        quantize_dynamic(
            source, graph, per_channel=per_channel, reduce_range=saturates(instruction_sets()),
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )  # fmt: skip
    finally:
        logging.disable(logging.NOTSET)


def openvino_int8(traced: Path, rows: Sequence[np.ndarray]) -> Any:
    """NNCF's quantisation of the traced graph, calibrated on rows of ids; None where nncf is not installed."""
    if importlib.util.find_spec("nncf") is None:
        return None
    # Its switch for machines that build it; without it it would report every quantisation.
    os.environ.setdefault("NNCF_CI", "1")
    openvino = import_openvino()
    import nncf

    nncf.set_log_level(logging.ERROR)
    feeds = []
    for start in range(0, len(rows), 32):
        ids, mask = pad(rows[start : start + 32])
        feeds.append({"input_ids": ids, "attention_mask": mask})
    return nncf.quantize(
        openvino.Core().read_model(traced), nncf.Dataset(feeds), model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(feeds),
    )  # fmt: skip


def write_ctranslate2(folder: Path, converted: Path) -> bool:
    """The encoder in CTranslate2's int8; False where that is not installed.

    Its converter asks the configuration for a field that transformers 5 dropped; a copy gets it back.

    Raises `ValueError` for a family that it does not know.
    """
    if importlib.util.find_spec("ctranslate2") is None:
        return False
    from ctranslate2.converters import TransformersConverter

    copy = shutil.copytree(folder, converted.with_name(f"{converted.name}-source"))
    config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    (copy / "config.json").write_text(json.dumps(config | {"position_embedding_type": "absolute"}), encoding="utf-8")
    TransformersConverter(str(copy)).convert(str(converted), quantization="int8")
    return True
