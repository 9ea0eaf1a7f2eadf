"""Changes to an ONNX graph, by way of the library that defines the format."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def mutate_graph(files: list[Path], draw: random.Random) -> str:
    """Change one thing in one of the files; what was done, in words."""
    path = draw.choice(files)
    try:
        model = onnx.load_from_string(path.read_bytes())
        way = draw.choice(_WAYS)
        said = way(model, draw)
        path.write_bytes(model.SerializeToString())
    except Exception as error:  # it was changed before, or the change makes no message
        return f"{path.name}: no change ({type(error).__name__})"
    return f"{path.name}: {said}"


def _interface(model: Any, draw: random.Random) -> str:
    graph = model.graph
    one = draw.choice([*graph.input, *graph.output])
    way = draw.randrange(5)
    if way == 0:
        one.name = draw.choice(["", "x", "ids", "logits", "input_ids", "first"])
        return f"an input or output is called {one.name!r}"
    if way == 1:
        one.type.tensor_type.elem_type = draw.choice([0, 1, 2, 7, 8, 10, 99])
        return "an input or output has another type"
    if way == 2:
        dims = one.type.tensor_type.shape.dim
        if dims:
            draw.choice(dims).dim_value = draw.choice([0, 1, 2, 4, -1, 2**40])
        return "an input or output has another shape"
    if way == 3:
        (graph.input if draw.random() < 0.5 else graph.output).append(one)
        return "an input or output comes twice"
    del (graph.input if draw.random() < 0.5 else graph.output)[0]
    return "an input or output is gone"


def _tensor(model: Any, draw: random.Random) -> str:
    graph = model.graph
    tensor = draw.choice(graph.initializer)
    way = draw.randrange(9)
    if way == 0:
        tensor.name = draw.choice(["", "x", draw.choice(graph.initializer).name])
    elif way == 1:
        tensor.dims[:] = draw.choice([[], [0], [-1], [2**40, 2**40], [*tensor.dims, 1], list(tensor.dims)[::-1]])
    elif way == 2:
        tensor.data_type = draw.choice([0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 99])
    elif way == 3:
        tensor.raw_data = tensor.raw_data[: draw.randrange(len(tensor.raw_data) + 1)]
    elif way == 4:
        tensor.data_location = TensorProto.EXTERNAL
        place = tensor.external_data.add()
        place.key, place.value = "location", draw.choice(["/etc/passwd", "../x", "tokenizer.json"])
    elif way == 5:
        graph.initializer.remove(tensor)
    else:
        values = np.array(numpy_helper.to_array(tensor))
        if way == 6 and values.ndim:
            rows = draw.choice(
                [values[:-1], values[:1], values[:0], np.concatenate([values, values]), values[..., :-1]]
            )
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(rows), tensor.name))
        elif values.size and values.dtype.kind == "f":
            strange = draw.choice([np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-40, 0.0])
            if way == 7:
                values.reshape(-1)[draw.randrange(values.size)] = strange
            else:
                values[...] = strange
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        elif values.size:
            values.reshape(-1)[draw.randrange(values.size)] = draw.choice([-128, -1, 0, 1, 127])
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return f"the constant {tensor.name}, change {way}"


def _node(model: Any, draw: random.Random) -> str:
    graph = model.graph
    node = draw.choice(graph.node)
    way = draw.randrange(7)
    if way == 0:
        graph.node.remove(node)
    elif way == 1:
        node.op_type = draw.choice(
            ["Add", "Softmax", "Relu", "Loop", "Expand", "Tile", "NoSuch", "", "ReduceMax", "Exp"]
        )
    elif way == 2:
        names = list(node.input)
        draw.shuffle(names)
        node.input[:] = names
    elif way == 3 and node.input:
        node.input[draw.randrange(len(node.input))] = draw.choice(["", "x", "ids", draw.choice(graph.initializer).name])
    elif way == 4:
        node.output[0] = draw.choice(["", "x", draw.choice(graph.node).output[0]])
    elif way == 5:
        node.domain = draw.choice(["x", "com.microsoft", ""])
    else:
        graph.node.append(node)
    return f"the node {node.name} ({node.op_type}), change {way}"


def _attribute(model: Any, draw: random.Random) -> str:
    nodes = [node for node in model.graph.node if node.attribute]
    node = draw.choice(nodes or list(model.graph.node))
    if not node.attribute:
        return "nothing"
    attribute = draw.choice(node.attribute)
    value = draw.choice([float("nan"), float("inf"), -1.0, 1e38, 0, -1, 2**62, 5, "x", "tanh", [0], [-1, 2**40], []])
    name = attribute.name
    node.attribute.remove(attribute)
    if value != [] and draw.random() < 0.9:
        node.attribute.append(helper.make_attribute(name, value))
    return f"the attribute {name} of {node.name} is {value}"


def _more(model: Any, draw: random.Random) -> str:
    graph = model.graph
    way = draw.randrange(5)
    if way == 0:
        body = helper.make_graph([helper.make_node("Identity", ["c"], ["d"])], "body", [], [])
        graph.node.append(helper.make_node("Loop", ["", ""], ["x"], body=body))
    elif way == 1:
        function = helper.make_function("own", "F", ["a"], ["b"], [], [helper.make_opsetid("", 20)])
        model.functions.append(function)
    elif way == 2:
        model.opset_import[0].version = draw.choice([0, 1, 99, -1])
    elif way == 3:
        model.ir_version = draw.choice([0, 1, 99, 2**40])
    else:
        huge = numpy_helper.from_array(np.array([2**20, 2**20], np.int64), "huge")
        graph.initializer.append(huge)
        graph.node.insert(0, helper.make_node("ConstantOfShape", ["huge"], ["x"]))
    return f"something more, {way}"


_WAYS: list[Callable[[Any, random.Random], str]] = [
    _interface,
    _tensor,
    _tensor,
    _tensor,
    _node,
    _node,
    _attribute,
    _more,
]
