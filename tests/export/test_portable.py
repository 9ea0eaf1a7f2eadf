"""`leanformer export --portable`: int8 files whose sums no CPU cuts off, in a session with any settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from leanformer.artifact import Artifact
from leanformer.cli.main import main
from leanformer.export.int8 import METHODS, Int8
from leanformer.export.onnx import Onnx
from leanformer.export.portable import LARGEST_SAFE, has_wide_weights, make_portable
from leanformer.export.standard import write_standard_onnx
from tests.making.graphs import make_context, make_onnx
from tests.making.recurrent import recurrent_artifact, tiny_recurrent
from tests.making.sessions import session_of
from tests.making.tagged import tagged_dataset

LOOSE: dict[str, Any] = {"max_flips": 1.0, "max_mean_share": 10.0}
MOST = 2**15 - 1


def arrays(graph: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}


def made(folder: Path, kind: str, **options: Any) -> tuple[Artifact, Artifact]:
    """fp32 and int8 graphs of an encoder, or of a recurrent tagger."""
    if kind == "encoder":
        encoder, fp32 = make_onnx(folder)
        return fp32, Int8(**options, **LOOSE)(fp32, make_context(folder / "c", encoder), folder / "int8")
    student = recurrent_artifact(folder / "student", model=tiny_recurrent(units=24))
    context = make_context(folder, student, data=tagged_dataset())
    fp32 = Onnx(max_difference=1e-3)(student, context, folder / "fp32")
    return fp32, Int8(**options, **LOOSE)(fp32, context, folder / "int8")


def weights(graph: onnx.ModelProto) -> list[tuple[str, np.ndarray]]:
    """All int8 constants `[..., in, out]` but word tables, of which rows are looked up."""
    return [
        (name, value)
        for name, value in arrays(graph).items()
        if value.dtype == np.int8 and value.ndim >= 2 and not name.startswith("word_table")
    ]


def worst_pair(weight: np.ndarray) -> int:
    """The largest magnitude that the sum of two products with bytes can have."""
    size = np.sort(np.abs(weight.astype(np.int64)), axis=-2)
    return int(255 * (size[..., -1, :] + size[..., -2, :]).max())


def cut_off(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """`values [rows, in] @ weight [in, out]` as VPMADDUBSW and VPADDD do it: sums of two neighbours in 16 bits."""
    products = values.astype(np.int64)[:, :, None] * weight.astype(np.int64)[None]
    if products.shape[1] % 2:
        products = np.concatenate([products, np.zeros_like(products[:, :1])], axis=1)
    pairs = products[:, 0::2] + products[:, 1::2]
    return np.clip(pairs, -MOST - 1, MOST).sum(axis=1)


def feed(seed: int = 0) -> dict[str, np.ndarray]:
    lengths = np.array([12, 3, 9, 1, 7])
    mask = (np.arange(12)[None, :] < lengths[:, None]).astype(np.int64)
    return {"input_ids": np.random.default_rng(seed).integers(1, 60, mask.shape) * mask, "attention_mask": mask}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["encoder", "recurrent"])
@pytest.mark.parametrize("method", METHODS)
def test_no_two_products_leave_16_bits(tmp_path: Path, kind: str, method: str) -> None:
    fp32, int8 = made(tmp_path, kind, method=method)
    said = write_standard_onnx(int8, tmp_path / "plain.onnx")
    assert "session.x64quantprecision=1" in said and "--portable" in said
    assert "7 bits" in write_standard_onnx(int8, tmp_path / "portable.onnx", portable=True)
    plain, portable = (onnx.load(tmp_path / f"{name}.onnx") for name in ("plain", "portable"))
    onnx.checker.check_model(portable)
    assert len(weights(portable)) >= 4
    assert max(worst_pair(weight) for _, weight in weights(plain)) > MOST
    assert max(worst_pair(weight) for _, weight in weights(portable)) <= MOST
    assert [tensor.name for tensor in portable.graph.input] == [tensor.name for tensor in plain.graph.input]
    write_standard_onnx(fp32, tmp_path / "fp32.onnx")
    mask = feed()["attention_mask"].astype(bool)
    found = {
        name: np.asarray(session_of(tmp_path / f"{name}.onnx").run(["logits"], feed())[0])
        for name in ("fp32", "plain", "portable")
    }
    if found["fp32"].ndim == 3:
        found = {name: values[mask] for name, values in found.items()}
    strayed = {name: np.abs(found[name] - found["fp32"]).mean() for name in ("plain", "portable")}
    assert 0 < strayed["portable"] < 0.15 * found["fp32"].std() and strayed["portable"] < 4 * strayed["plain"]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["mixed", "per_token", "static"])
def test_products_are_the_same_where_sums_are_cut_off(tmp_path: Path, method: str) -> None:
    """The graph's own activations, and the worst there could be, through the arithmetic of AVX2 in numpy."""
    _, int8 = made(tmp_path, "encoder", method=method)
    differed = {}
    for name in ("plain", "portable"):
        path = tmp_path / f"{name}.onnx"
        write_standard_onnx(int8, path, portable=name == "portable")
        graph = onnx.load(path)
        constants, makers = arrays(graph), {out: node for node in graph.graph.node for out in node.output}
        pairs = [  # the byte rows and the weight of each product
            (makers[node.input[0]].input[0], makers[node.input[1]].input[0])
            for node in graph.graph.node
            if node.op_type == "MatMul" and all(makers.get(source) and makers[source].op_type == "DequantizeLinear"
                                                for source in node.input)
        ]  # fmt: skip
        assert len(pairs) >= 8
        names = list(dict.fromkeys(values for values, _ in pairs))
        graph.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.UINT8, None) for name in names)
        seen = dict(zip(names, session_of(graph).run(names, feed()), strict=True))
        differed[name] = 0
        for values, weight in pairs:
            rows = seen[values].reshape(-1, constants[weight].shape[0])
            worst = np.where(constants[weight] > 0, 255, 0).T.astype(np.uint8)
            for bytes_ in (rows, worst):
                exact = bytes_.astype(np.int64) @ constants[weight].astype(np.int64)
                differed[name] += int((cut_off(bytes_, constants[weight]) != exact).sum())
    assert differed["portable"] == 0 < differed["plain"]


def test_what_is_in_7_bits_stays_as_it_is(tmp_path: Path) -> None:
    _, int8 = made(tmp_path, "encoder", method="per_token", reduce_range=True)
    assert write_standard_onnx(int8, tmp_path / "plain.onnx") == ""
    assert "as it is" in write_standard_onnx(int8, tmp_path / "portable.onnx", portable=True)
    assert (tmp_path / "plain.onnx").read_bytes() == (tmp_path / "portable.onnx").read_bytes()


def test_fp32_has_nothing_to_round(tmp_path: Path) -> None:
    encoder, fp32 = make_onnx(tmp_path)
    for source in (encoder, fp32):
        assert write_standard_onnx(source, tmp_path / "plain.onnx") == ""
        assert "as it is" in write_standard_onnx(source, tmp_path / "portable.onnx", portable=True)
        assert not has_wide_weights(onnx.load(tmp_path / "portable.onnx"))


@pytest.mark.parametrize("scales", [1, 3])
@pytest.mark.parametrize("largest", [LARGEST_SAFE, LARGEST_SAFE + 1, 127, 128])
def test_weights_stand_for_the_same_numbers(scales: int, largest: int) -> None:
    generator = np.random.default_rng(1)
    values = generator.integers(-60, 60, (6, 3)).astype(np.int8)
    values[0, 0] = -largest if largest == 128 else largest
    steps = generator.uniform(0.01, 0.1, scales).astype(np.float32)
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["undone"], axis=1),
        helper.make_node("MatMul", ["x", "undone"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 6])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])]
    constants = [
        numpy_helper.from_array(values, "w"), numpy_helper.from_array(steps if scales > 1 else steps[0], "s")
    ]  # fmt: skip
    model = helper.make_model(helper.make_graph(nodes, "g", inputs, outputs, constants))
    changed, found = make_portable(model), arrays(model)
    assert changed == (largest > LARGEST_SAFE)
    assert np.abs(found["w"].astype(int)).max() <= LARGEST_SAFE
    off = np.abs(found["w"] * found["s"] - values * steps)
    assert (off <= 0.5 * np.broadcast_to(found["s"], off.shape) + 1e-6).all()
    if scales > 1:  # columns that were small enough are not touched
        assert np.array_equal(found["w"][:, 1:], values[:, 1:])


def test_the_command_says_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, int8 = made(tmp_path, "encoder", method="per_token")
    for arguments, word in (([], "x64quantprecision=1"), (["--portable"], "every CPU")):
        target = tmp_path / f"out{len(arguments)}.onnx"
        monkeypatch.setattr("sys.argv", ["leanformer", "export", str(int8.path), "--output", str(target), *arguments])
        _run()
        out, err = capsys.readouterr()
        assert out.strip() == str(target) and word in err and err.startswith("note: ")
    target = tmp_path / "folder"
    monkeypatch.setattr(
        "sys.argv",
        ["leanformer", "export", str(int8.path), "--output", str(target), "--to", "transformers", "--portable"],
    )
    assert _run() != 0
    assert "remedy" in capsys.readouterr().err and not target.exists()


def _run() -> int:
    try:
        return int(main() or 0)
    except SystemExit as end:
        return int(end.code or 0)


def test_a_plain_session_takes_it(tmp_path: Path) -> None:
    _, int8 = made(tmp_path, "encoder", method="mixed")
    write_standard_onnx(int8, tmp_path / "portable.onnx", portable=True)
    session = ort.InferenceSession(str(tmp_path / "portable.onnx"), providers=["CPUExecutionProvider"])
    plain = session.run(["logits"], feed())[0]
    np.testing.assert_allclose(plain, session_of(tmp_path / "portable.onnx").run(["logits"], feed())[0], atol=0.02)
