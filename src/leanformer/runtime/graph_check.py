"""Checks an artifact's graph when it is opened: its operators, inputs, outputs and weights.

The file is memory-mapped, not read as a whole. An artifact may come from anywhere, so non-finite weights and mismatched
sizes are found here, not in the first prediction.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path

from leanformer.answers.forms import form_of
from leanformer.artifact import AGAIN, Artifact
from leanformer.errors import ArtifactError
from leanformer.inputs.kinds import input_of
from leanformer.runtime.finite import first_not_finite
from leanformer.runtime.onnx_file import OnnxFile, parse_onnx
from leanformer.tokenizer import Tokenizer

# Operators that exporters and quantisers write; none that loop, branch, or make large tensors out of small ones.
_OPERATORS = {
    *("Abs", "Add", "Cast", "Clip", "Concat", "Constant", "Div", "Equal", "Erf", "Exp", "Flatten", "Gather", "Gelu"),
    *("Gemm", "Greater", "Identity", "LayerNormalization", "Less", "Log", "LSTM", "MatMul", "Max", "Min", "Mul", "Neg"),
    *("Not", "Pow", "Range", "Reciprocal", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "Relu", "Reshape"),
    *("Round", "Shape", "Sigmoid", "Slice", "Softmax", "Split", "Sqrt", "Squeeze", "Sub", "Tanh", "Transpose"),
    *("Unsqueeze", "Where"),
    *("BiasGelu", "DequantizeLinear", "DynamicQuantizeLinear", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul"),
    *("FastGelu", "MatMulInteger", "MatMulIntegerToFloat", "QLinearMatMul", "QuantizeLinear", "SkipLayerNormalization"),
}
_PACKED, _PADDED = {"ids", "positions", "segments"}, {"input_ids", "attention_mask"}
_WORDS, _POSITIONS, _TYPES = ("word_table", "word_table_int8"), "position_table", "token_type_table"


@dataclass(frozen=True)
class InputLimits:
    """Limits for rows: ids below `vocabulary`, at most `positions` tokens, and token types below `types`.

    A limit is None if the graph has no such table.
    """

    vocabulary: int | None
    positions: int | None
    types: int | None = None


def check_graph(artifact: Artifact, path: Path, tokenizer: Tokenizer) -> InputLimits:
    """Raise `ArtifactError` if the graph does not match the artifact or cannot be run."""
    try:
        with open(path, "rb") as handle:
            model = memoryview(mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ))
        graph = parse_onnx(model)
        _check_interface(graph, artifact)
        _check_constants(graph)
        return _check_tables(graph, artifact, tokenizer)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, OSError) as error:
        said = f"it has no {error}" if isinstance(error, KeyError) else f"{error}"
        raise ArtifactError(f"{path}: not a graph that can be run ({said}){AGAIN}") from error


def _check_interface(graph: OnnxFile, artifact: Artifact) -> None:
    """Check inputs, outputs and operators. Raises `ValueError`."""
    inputs, windowed = set(graph.inputs), form_of(artifact.task).windowed
    packed = {*_PACKED, *(() if windowed else ("first",))}
    if not (packed <= inputs <= {*packed, "types"} or _PADDED <= inputs <= {*_PADDED, "token_type_ids"}):
        raise ValueError(f"its inputs are {', '.join(sorted(inputs))[:200]}")
    if list(graph.outputs) != ["logits"]:
        raise ValueError(f"its outputs are {', '.join(graph.outputs)[:200]}, not logits")
    shape = graph.outputs["logits"]
    if shape and shape[-1] is not None and shape[-1] != artifact.task.outputs:
        raise ValueError(f"it gives {shape[-1]} numbers, and the manifest has {artifact.task.outputs} outputs")
    strange = sorted({node.operator for node in graph.nodes} - _OPERATORS)
    if strange:
        raise ValueError(f"it computes {', '.join(strange)[:200]}, which no graph of ours does")


def _check_constants(graph: OnnxFile) -> None:
    for name, value in graph.constants.items():
        if not value.size:
            raise ValueError(f"the constant {name:.60} has the shape {list(value.shape)}")
        if value.dtype.kind == "f" and (place := first_not_finite(value)) is not None:
            raise ValueError(f"the constant {name:.60} is not finite at {place}")


def _check_tables(graph: OnnxFile, artifact: Artifact, tokenizer: Tokenizer) -> InputLimits:
    """Check that the rows of tables match the labels and the tokenizer's ids. Raises `ValueError`."""
    constants, outputs = graph.constants, artifact.task.outputs
    for name in ("classifier.bias", "head.bias"):
        if name in constants and constants[name].size != outputs:
            raise ValueError(f"{name} has {constants[name].size} numbers, and the manifest has {outputs} outputs")
    words = next((constants[name] for name in _WORDS if name in constants), None)
    places, types = constants.get(_POSITIONS), constants.get(_TYPES)
    for name, table in (("words", words), ("positions", places), ("token types", types)):
        if table is not None and table.ndim != 2:
            raise ValueError(f"its table of {name} has the shape {list(table.shape)}")
    if places is not None and len(places) < artifact.max_tokens:
        raise ValueError(f"it has {len(places)} positions, and the manifest allows {artifact.max_tokens} tokens")
    if types is not None and input_of(artifact.task).paired and len(types) < 2:
        raise ValueError("it tells no two texts of a pair apart")
    if words is not None:
        needed = max((*tokenizer.special_ids, _padding(artifact)))
        if needed >= len(words):
            raise ValueError(f"its table has {len(words)} words, and the tokenizer sets id {needed} beside every text")
    return InputLimits(*(None if table is None else len(table) for table in (words, places, types)))


def _padding(artifact: Artifact) -> int:
    padding = artifact.properties.get("padding_id")
    if padding is None:
        raise ValueError("the manifest's properties have no padding_id")
    return int(padding)
