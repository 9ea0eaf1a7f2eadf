"""Constants and nodes of an ONNX file, without the library `onnx`, which the base install does not have.

Reads what the runtime's own engine needs of the format's messages (ModelProto, GraphProto, NodeProto, AttributeProto,
TensorProto in onnx.proto), which are protocol buffers: fields of a number, a wire type and a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leanformer.errors import ArtifactError

# TensorProto.DataType -> numpy, those that our graphs use.
_TYPES: dict[int, type] = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64}
# Where a tensor keeps its values if not as raw bytes: field -> numpy type of a packed field; int8 is in int32_data.
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
Value = int | memoryview


@dataclass(frozen=True)
class Node:
    """An operator with the names of its inputs and outputs, and its attributes: None where one is no number or text."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, float | int | str | None]


@dataclass(frozen=True)
class OnnxFile:
    """The constants by name, which share the file's memory where they can, and the nodes in their order."""

    constants: dict[str, np.ndarray]
    nodes: list[Node]
    inputs: list[str]


def read_onnx(path: Path) -> OnnxFile:
    """Raises `ArtifactError` for a file that is no ONNX model, or keeps its tensors in other files."""
    try:
        model = memoryview(path.read_bytes())
        (graph,) = (value for number, value in _fields(model) if number == 7)
        parts = list(_fields(_bytes(graph)))
        constants = dict(_tensor(_bytes(value)) for number, value in parts if number == 5)
        nodes = [_node(_bytes(value)) for number, value in parts if number == 1]
        inputs = [_text(_one(_bytes(value), 1)) for number, value in parts if number == 11]
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise ArtifactError(f"{path}: not an ONNX model that can be read here ({error})") from error
    return OnnxFile(constants, nodes, inputs)


def _fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """Number and value of each field; bytes are not copied."""
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        wire = key & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if wire == _BYTES:
            size, at = _varint(message, at)
        else:
            size = {_FIXED64: 8, _FIXED32: 4}[wire]
        if at + size > end:
            raise ValueError("a field is longer than its message")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number has too many bytes")


def _node(message: memoryview) -> Node:
    inputs, outputs, operator = [], [], ""
    attributes: dict[str, float | int | str | None] = {}
    for number, value in _fields(message):
        if number == 1:
            inputs.append(_text(value))
        elif number == 2:
            outputs.append(_text(value))
        elif number == 4:
            operator = _text(value)
        elif number == 5:
            attribute = dict(_fields(_bytes(value)))
            name = _text(attribute[1])
            if 2 in attribute:
                attributes[name] = float(np.frombuffer(_bytes(attribute[2]), "<f4")[0])
            elif 3 in attribute:
                attributes[name] = _number(attribute[3])
            elif 4 in attribute:
                attributes[name] = _text(attribute[4])
            else:
                attributes[name] = None
    return Node(operator, tuple(inputs), tuple(outputs), attributes)


def _tensor(message: memoryview) -> tuple[str, np.ndarray]:
    shape: list[int] = []
    fields: dict[int, list[Value]] = {}
    for number, value in _fields(message):
        if number == 1:
            shape.extend([value] if isinstance(value, int) else _varints(value))
        else:
            fields.setdefault(number, []).append(value)
    if 13 in fields or fields.get(14, [0])[0] == 1:
        raise ValueError("a tensor is kept in another file")
    kind = _TYPES[_number(fields[2][0])]
    if 9 in fields:
        values = np.frombuffer(_bytes(fields[9][0]), np.dtype(kind).newbyteorder("<"))
    elif 4 in fields:  # float_data, as one field of packed values or one field for each
        values = np.concatenate([np.frombuffer(_bytes(one), "<f4") for one in fields[4]])
    else:
        numbers = [n for one in fields.get(5, []) + fields.get(7, []) for n in _integers(one)]
        # Negative numbers are written as 64 bits, whatever the type.
        values = np.array(numbers, np.uint64).astype(np.int64).astype(kind)
    return _text(fields[8][0]), values.reshape(shape)


def _integers(value: Value) -> list[int]:
    return [value] if isinstance(value, int) else _varints(value)


def _varints(message: memoryview) -> list[int]:
    numbers, at = [], 0
    while at < len(message):
        value, at = _varint(message, at)
        numbers.append(value)
    return numbers


def _one(message: memoryview, wanted: int) -> Value:
    return next(value for number, value in _fields(message) if number == wanted)


def _bytes(value: Value) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where bytes are expected")
    return value


def _number(value: Value) -> int:
    if not isinstance(value, int):
        raise ValueError("bytes where a number is expected")
    return value - (1 << 64) if value >> 63 else value


def _text(value: Value) -> str:
    return bytes(_bytes(value)).decode("utf-8")
