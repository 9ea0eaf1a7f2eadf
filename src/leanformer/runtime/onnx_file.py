"""Reads constants and nodes of an ONNX file without the library `onnx`, which is not in the base install.

Reads those of the format's messages (ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto in onnx.proto) that
the native engine needs. They are protocol buffers: fields with a number, a wire type and a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from leanformer.errors import ArtifactError

# TensorProto.DataType -> numpy, for the types that our graphs use.
_TYPES: dict[int, type] = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64}
# Where a tensor stores its values if not as raw bytes: field -> numpy type of a packed field; int8 is in int32_data.
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
Value = int | memoryview


@dataclass(frozen=True)
class Node:
    """An operator with the names of its inputs and outputs, and its attributes (None unless a number or text)."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, float | int | str | None]


@dataclass(frozen=True)
class OnnxFile:
    """The constants by name, which share the file's memory where possible, and the nodes in graph order.

    `outputs` maps each output to its declared shape, with None for a dynamic dimension; empty if no shape is declared.
    """

    constants: dict[str, np.ndarray]
    nodes: list[Node]
    inputs: list[str]
    outputs: dict[str, list[int | None]] = field(default_factory=dict)


def read_onnx(path: Path) -> OnnxFile:
    """Read an ONNX file. Raises `ArtifactError` if it is not an ONNX model or stores its tensors in other files."""
    try:
        return parse_onnx(memoryview(path.read_bytes()))
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise ArtifactError(
            f"{path}: not an ONNX model that can be read here ({error})\n  remedy: copy or recreate the artifact"
        ) from error


def parse_onnx(model: memoryview) -> OnnxFile:
    """Raises `ValueError`, `IndexError`, `KeyError`, `TypeError` or `OverflowError` for bytes that are not a model."""
    parts = list(_fields(model))
    if any(number == 25 for number, _ in parts):
        raise ValueError("it has functions of its own")
    (graph,) = (value for number, value in parts if number == 7)
    parts = list(_fields(_bytes(graph)))
    if any(number == 15 for number, _ in parts):
        raise ValueError("it has sparse constants")
    tensors = [_tensor(_bytes(value)) for number, value in parts if number == 5]
    constants = dict(tensors)
    if len(constants) != len(tensors):
        raise ValueError("two of its constants have one name")
    return OnnxFile(
        constants,
        [_node(_bytes(value)) for number, value in parts if number == 1],
        [_text(_one(_bytes(value), 1)) for number, value in parts if number == 11],
        dict(_declared(_bytes(value)) for number, value in parts if number == 12),
    )


def _declared(message: memoryview) -> tuple[str, list[int | None]]:
    """Name and declared shape of a value; a symbolic or unknown dimension is None."""
    name, shape = "", list[int | None]()
    for number, value in _fields(message):
        if number == 1:
            name = _text(value)
        elif number == 2:
            kinds = [_bytes(tensor) for kind, tensor in _fields(_bytes(value)) if kind == 1]
            sides = [_bytes(sizes) for kind in kinds for part, sizes in _fields(kind) if part == 2]
            for side in (extent for sizes in sides for part, extent in _fields(sizes) if part == 1):
                told = dict(_fields(_bytes(side)))
                shape.append(_number(told[1]) if 1 in told else None)
    return name, shape


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
            if 6 in attribute or 11 in attribute:
                raise ValueError("a node has a graph of its own")
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
    elif 4 in fields:  # float_data: one packed field, or one field per value
        values = np.concatenate([np.frombuffer(_bytes(data), "<f4") for data in fields[4]])
    else:
        numbers = [n for data in fields.get(5, []) + fields.get(7, []) for n in _integers(data)]
        # Negative numbers are written as 64 bits, whatever their type.
        values = np.array(numbers, np.uint64).astype(np.int64).astype(kind)
    if any(side < 0 or side >> 63 for side in shape):
        raise ValueError(f"a tensor has the shape {shape}")
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
    for number, value in _fields(message):
        if number == wanted:
            return value
    raise ValueError(f"a field {wanted} is missing")


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
