"""int8 weights and activations in the ONNX graph.

What: every linear map in int8: weights per output channel, activations per tensor, scaled as they come ("dynamic")
    or by ranges calibrated on training texts ("static"); the word table in int8, one scale per row.
Paper: Jacob et al. 2018 (arXiv 1712.05877); dynamic quantisation as in FastFormers (arXiv 2010.13382).
Helps: on CPUs with int8 dot products (AVX-512 VNNI, AVX-VNNI, AMX, Arm dot product); a quarter of the bytes anywhere.
Hurts: without those instructions it can be slower and, on AVX2, less exact (`reduce_range` keeps it right there).
    Dynamic ranges make an answer depend a little on what shares its batch; static ranges do not.
Needs: onnx, onnxruntime; dev texts for the parity gate, training texts for static ranges.
Example: {step: export.int8, method: dynamic, rung: int8}
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from leanformer.artifact import Artifact, open_artifact, write_manifest
from leanformer.batching import batches_by_length, pad_block
from leanformer.data.examples import sampled
from leanformer.errors import DataError, GateError, RecipeError
from leanformer.files import new_folder
from leanformer.predictor import logits
from leanformer.runtime.predictor import GRAPH, TOKENIZER, LightPredictor
from leanformer.step import Context, record

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Int8:
    """Quantise the graph of an ONNX artifact and compare it with the graph it came from on dev."""

    method: str = "dynamic"  # "dynamic" or "static" activation ranges
    word_table: bool = True  # also keep the word table in int8, one scale per row
    reduce_range: bool = False  # 7-bit weights, for CPUs with AVX2 but no int8 dot products
    calibration_texts: int = 256  # training texts that static ranges are taken from
    max_flips: float = 0.05  # largest share of dev labels that may change
    max_mean_share: float = 0.15  # largest mean logit difference, as a share of the logits' standard deviation
    max_difference: float | None = None  # largest single logit difference; None for no bound
    gate_texts: int = 1000  # dev texts to compare on, at most

    consumes: ClassVar[tuple[str, ...]] = ("onnx",)
    produces: ClassVar[str] = "onnx"
    reads_data: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.method not in ("dynamic", "static"):
            raise RecipeError(f"export.int8: method is 'dynamic' or 'static', not {self.method!r}")
        if self.calibration_texts < 1 or self.gate_texts < 1:
            raise RecipeError("export.int8: calibration_texts and gate_texts must be at least 1")

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        import onnx

        from leanformer.export.gate import check, compare
        from leanformer.export.graph import operator_counts

        if context.data.dev is None:
            raise DataError("int8 is compared with fp32 on dev texts, and there are none", path=context.data.name)
        if artifact.properties.get("precision") != "fp32":
            raise RecipeError("export.int8: the graph is quantised already; give it the fp32 graph (`uses:`)")
        fp32 = LightPredictor(artifact, threads=context.threads)
        context.work.mkdir(parents=True, exist_ok=True)  # there a kill leaves nothing that the next run does not clear
        with tempfile.TemporaryDirectory(dir=context.work) as scratch:
            # A copy, because the quantiser writes a file of its own beside the graph that it is given.
            source = Path(shutil.copyfile(artifact.file(GRAPH), Path(scratch) / GRAPH))
            if self.method == "dynamic":
                graph = _dynamic(source, Path(scratch), self.reduce_range)
            else:
                batches = _calibration(artifact, context, fp32, self.calibration_texts)
                graph = _static(source, Path(scratch), self.reduce_range, batches)
        if left := _fp32_maps(graph):
            raise GateError(f"export.int8: {len(left)} linear maps stayed in fp32, the first is {left[0]}")
        if self.word_table:
            _quantise_word_table(graph)
        onnx.checker.check_model(graph)
        texts = sampled(context.data.dev, self.gate_texts, context.seed)
        properties = {
            **artifact.properties,
            "precision": f"int8 {self.method}",
            "operators": operator_counts(graph),
            "checked_on": _instructions(),
        }
        entry = record("export.int8", self, artifact)
        with new_folder(output) as temporary:
            onnx.save(graph, temporary / GRAPH)
            shutil.copyfile(artifact.file(TOKENIZER), temporary / TOKENIZER)
            draft = write_manifest(
                temporary, format="onnx", task=artifact.task, max_tokens=artifact.max_tokens,
                history=(*artifact.history, entry), properties=properties,
            )  # fmt: skip
            ours = logits(LightPredictor(draft, threads=context.threads), texts)
            parity = compare(ours, logits(fp32, texts), artifact.task)
            context.say(
                f"int8 against fp32 on {parity.n} dev texts: mean logit difference {parity.mean_difference:.3f} "
                f"(spread {parity.reference_spread:.2f}), {100 * parity.flips:.2f} % of labels changed"
            )
            check(
                parity,
                step="export.int8",
                max_difference=self.max_difference,
                mean_share=self.max_mean_share,
                flips=self.max_flips,
            )
            write_manifest(
                temporary, format="onnx", task=artifact.task, max_tokens=artifact.max_tokens,
                history=(*artifact.history, entry | {"parity": parity.to_json()}), properties=properties,
            )  # fmt: skip
        return open_artifact(output)


def _fp32_maps(graph: onnx.ModelProto) -> list[str]:
    """Names of the products that still have an fp32 constant as their second factor."""
    from onnx import TensorProto

    constants = {one.name for one in graph.graph.initializer if one.data_type == TensorProto.FLOAT}
    return [one.name for one in graph.graph.node if one.op_type in ("MatMul", "Gemm") and one.input[1] in constants]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the quantiser's advice, on the root logger, to optimise the graph first: ours has nothing to optimise."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _dynamic(source: Path, scratch: Path, reduce_range: bool) -> onnx.ModelProto:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quiet():
        quantize_dynamic(
            source, scratch / "int8.onnx", per_channel=True, reduce_range=reduce_range, weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul"], extra_options={"MatMulConstBOnly": True},
        )  # fmt: skip
    return onnx.load(scratch / "int8.onnx")


def _static(source: Path, scratch: Path, reduce_range: bool, batches: list[dict[str, np.ndarray]]) -> onnx.ModelProto:
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left: Iterator[dict[str, np.ndarray]] = iter(batches)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self._left, None)

    constants = {one.name for one in onnx.load(source).graph.initializer}
    linear = [n.name for n in onnx.load(source).graph.node if n.op_type == "MatMul" and n.input[1] in constants]
    with _quiet():
        quantize_static(
            source, scratch / "int8.onnx", Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
            reduce_range=reduce_range, weight_type=QuantType.QInt8, activation_type=QuantType.QUInt8,
            nodes_to_quantize=linear, op_types_to_quantize=["MatMul"],
        )  # fmt: skip
    return onnx.load(scratch / "int8.onnx")


def _calibration(
    artifact: Artifact, context: Context, predictor: LightPredictor, count: int
) -> list[dict[str, np.ndarray]]:
    """Batches of training (else unlabelled) texts, drawn by seed. Never dev or test, which are used to judge."""
    import onnx

    examples = context.data.train or context.data.unlabelled
    if examples is None:
        raise DataError("static ranges need a train or an unlabelled split to calibrate on", path=context.data.name)
    chosen = np.random.default_rng(context.seed).permutation(len(examples))[:count]
    rows = predictor.tokenize([examples.inputs[i] for i in chosen])
    takes_types = any(one.name == "token_type_ids" for one in onnx.load(artifact.file(GRAPH)).graph.input)
    result = []
    for batch in batches_by_length(rows, 1024):
        block = pad_block([rows[i] for i in batch], padding_id=int(artifact.properties["padding_id"]))
        feeds = {"input_ids": block.ids, "attention_mask": block.mask}
        if block.types is not None and takes_types:
            feeds["token_type_ids"] = block.types
        result.append(feeds)
    return result


def _quantise_word_table(graph: onnx.ModelProto) -> None:
    """Replace the fp32 word table by int8 rows with one scale each, undone after the look-up."""
    from onnx import TensorProto, helper, numpy_helper

    table = next(one for one in graph.graph.initializer if one.name == "word_table")
    values: np.ndarray[Any, Any] = numpy_helper.to_array(table)
    scales = np.maximum(np.abs(values).max(axis=1, keepdims=True), 1e-12).astype(np.float32) / 127
    rows = np.rint(values / scales).astype(np.int8)
    graph.graph.initializer.remove(table)
    graph.graph.initializer.extend(
        [numpy_helper.from_array(rows, "word_table_int8"), numpy_helper.from_array(scales, "word_table_scales")]
    )
    at, gather = next(
        (i, n) for i, n in enumerate(graph.graph.node) if n.op_type == "Gather" and n.input[0] == "word_table"
    )
    ids, result = gather.input[1], gather.output[0]
    graph.graph.node.remove(gather)
    nodes = [
        helper.make_node("Gather", ["word_table_int8", ids], ["word.int8"], name="word.int8"),
        helper.make_node("Cast", ["word.int8"], ["word.float"], name="word.float", to=TensorProto.FLOAT),
        helper.make_node("Gather", ["word_table_scales", ids], ["word.scale"], name="word.scale"),
        helper.make_node("Mul", ["word.float", "word.scale"], [result], name="word.scaled"),
    ]
    for offset, node in enumerate(nodes):
        graph.graph.node.insert(at + offset, node)


def _instructions() -> list[str]:
    """The int8-relevant instruction sets of the CPU on which the answers were compared."""
    from leanformer.machine import instruction_sets

    return [one for one in instruction_sets() if "vnni" in one or "amx" in one or one in ("avx2", "asimddp", "i8mm")]
