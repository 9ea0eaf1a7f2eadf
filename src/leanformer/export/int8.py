"""int8 weights and activations in the ONNX graph.

What: computes every linear layer in int8, with weight scales per output channel. Activation scales are calibrated on
    training texts after each LayerNorm and computed per token elsewhere ("mixed"), computed per token everywhere
    ("per_token"), calibrated everywhere ("static"), or computed per tensor at run time ("dynamic"). The embedding
    table is int8 with one scale per row.
Paper: Jacob et al. 2018 (arXiv 1712.05877); scales per token as in ZeroQuant (Yao et al. 2022, arXiv 2206.01861).
Helps: on CPUs with int8 dot products (AVX-512 VNNI, AVX-VNNI, AMX, Arm dot product); a quarter of the size on any CPU.
Hurts: without those instructions it can be slower and, on AVX2, less exact (`reduce_range` prevents that). "static"
    deviates most from fp32, "per_token" least, at the highest cost. With "dynamic" a prediction depends on the other
    texts in its batch; with the others it does not.
Needs: onnx, onnxruntime; dev texts for the parity gate; training texts for calibration ("mixed" without any uses
    scales per token everywhere).
Example: {step: export.int8, method: mixed, rung: int8}
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from leanformer.answers.forms import form_of
from leanformer.artifact import Artifact, open_artifact, write_manifest
from leanformer.data.examples import sampled
from leanformer.errors import DataError, GateError, RecipeError
from leanformer.exits import copy_exits
from leanformer.outputs.folders import new_artifact
from leanformer.predictor import logits
from leanformer.runtime.engines.engine import OnnxEngine
from leanformer.runtime.predictor import GRAPH, TOKENIZER, LightPredictor
from leanformer.runtime.settings import DEFAULT_ENGINE
from leanformer.shapes.planned import PlannedShape
from leanformer.step import Context, Make, record

if TYPE_CHECKING:
    import onnx


METHODS = ("mixed", "per_token", "static", "dynamic")
# The head processes one token per text and costs nothing, so it always gets the finest scales.
_HEAD = ("first_token", "pooled")


@dataclass(frozen=True)
class Int8(Make):
    """Quantise the graph of an ONNX artifact and compare it on dev with the graph it came from."""

    method: str = "mixed"  # scales of activations: "mixed", "per_token", "static" or "dynamic"
    word_table: bool = True  # also keep the word table in int8, one scale per row
    reduce_range: bool = False  # 7-bit weights, for CPUs with AVX2 but no int8 dot products
    calibration_texts: int = 256  # training texts that calibrated ranges are taken from
    percentile: float = 100.0  # calibrated ranges end here; below 100 outliers are clipped
    max_flips: float = 0.05  # largest share of dev labels that may change
    max_mean_share: float = 0.15  # largest mean logit difference, as a share of the logits' standard deviation
    max_difference: float | None = None  # largest single logit difference; None for no bound
    gate_texts: int = 1000  # dev texts to compare on, at most

    technique: ClassVar[str] = "export.int8"
    version: ClassVar[int] = 2
    consumes: ClassVar[tuple[str, ...]] = ("onnx",)
    produces: ClassVar[str] = "onnx"

    def __post_init__(self) -> None:
        self.one_of("method", METHODS)
        if not 50 < self.percentile <= 100:
            raise RecipeError(f"export.int8: percentile is above 50 and at most 100, not {self.percentile}")
        self.at_least(1, "calibration_texts", "gate_texts")
        super().__post_init__()

    def planned(self, shape: PlannedShape) -> PlannedShape:
        return replace(shape, precision=f"int8 {self.method}")

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        import onnx

        from leanformer.export.graphs.graph import operator_counts
        from leanformer.export.graphs.lstm_graph import quantise_lstm
        from leanformer.export.parity import check, compare, gate_examples
        from leanformer.export.quantise import behind_norms, linear_maps, quantise

        examples = gate_examples(context.data)
        if examples is None:
            raise DataError("int8 is compared with fp32 on dev texts, and there are none", path=context.data.name)
        if artifact.properties.get("precision") != "fp32":
            raise RecipeError("export.int8: the graph is quantised already; give it the fp32 graph (`uses:`)")
        fp32 = LightPredictor(artifact, threads=context.threads, tuning=False)
        context.work.mkdir(parents=True, exist_ok=True)  # if the run is killed, the next one clears what is left here
        source, method = onnx.load(artifact.file(GRAPH)), self.method
        if method == "mixed" and not (context.data.train or context.data.unlabelled):
            context.say("int8: no training texts to calibrate ranges on, so every token gets its own scale")
            method = "per_token"
        if method == "dynamic":
            graph = _dynamic(artifact.file(GRAPH), self.reduce_range, context.work)
        else:
            ranges = {} if method == "per_token" else self._ranges(source, artifact, context, fp32)
            if method == "mixed":
                ranges = {name: ranges[name] for name in behind_norms(source)}
            graph = quantise(source, ranges, weight_bits=7 if self.reduce_range else 8)
        if left := [map_.node.name for map_ in linear_maps(graph)]:
            raise GateError(f"export.int8: {len(left)} linear maps stayed in fp32, the first is {left[0]}")
        if self.word_table:
            _quantise_word_table(graph)
        quantise_lstm(graph, weight_bits=7 if self.reduce_range else 8)
        onnx.checker.check_model(graph)
        texts = sampled(examples, self.gate_texts, context.seed)
        properties = {
            **artifact.properties,
            "precision": f"int8 {method}",
            "operators": operator_counts(graph),
            "checked_on": _instructions(),
        }
        entry = record(self, artifact)
        with new_artifact(output) as temporary:
            onnx.save(graph, temporary / GRAPH)
            shutil.copyfile(artifact.file(TOKENIZER), temporary / TOKENIZER)
            copy_exits(artifact, temporary)
            draft = write_manifest(
                temporary, format="onnx", task=artifact.task, max_tokens=artifact.max_tokens,
                history=(*artifact.history, entry), properties=properties,
            )  # fmt: skip
            quantised = LightPredictor(draft, threads=context.threads, engine=DEFAULT_ENGINE)
            ours, task = logits(quantised, texts), artifact.task
            if task.no_answer is not None and context.data.dev is not None and context.data.dev.is_labelled:
                dev = context.data.dev.for_task(task)
                task = form_of(task).after_training(task, logits(quantised, dev.inputs), dev.targets)
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
                temporary, format="onnx", task=task, max_tokens=artifact.max_tokens,
                history=(*artifact.history, entry | {"parity": parity.to_json()}), properties=properties,
            )  # fmt: skip
        return open_artifact(output)

    def _ranges(
        self, graph: onnx.ModelProto, artifact: Artifact, context: Context, fp32: LightPredictor
    ) -> dict[str, tuple[float, float]]:
        """Ranges calibrated on training (else unlabelled) texts, sampled by seed; never on dev or test."""
        from leanformer.export.quantise import calibrate

        examples = context.data.train or context.data.unlabelled
        if examples is None:
            raise DataError("static ranges need a train or an unlabelled split to calibrate on", path=context.data.name)
        chosen = np.random.default_rng(context.seed).permutation(len(examples))[: self.calibration_texts]
        rows = fp32.tokenize([examples.inputs[i] for i in chosen])
        engine = OnnxEngine(artifact.file(GRAPH), 1, padding_id=int(artifact.properties["padding_id"]))
        feeds = [engine.feed(rows, lines) for lines in engine.cut(rows, 1024)]
        ranges = calibrate(graph, feeds, self.percentile)
        return {name: bounds for name, bounds in ranges.items() if name not in _HEAD}


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the quantiser's log message that recommends optimising the graph first: ours needs no optimisation."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _dynamic(graph: Path, reduce_range: bool, work: Path) -> onnx.ModelProto:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quiet(), tempfile.TemporaryDirectory(dir=work) as scratch:
        # A copy, because the quantiser writes its own file next to the graph.
        source, result = Path(shutil.copyfile(graph, Path(scratch) / GRAPH)), Path(scratch) / "int8.onnx"
        quantize_dynamic(
            source, result, per_channel=True, reduce_range=reduce_range, weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul"], extra_options={"MatMulConstBOnly": True},
        )  # fmt: skip
        return onnx.load(result)


def _quantise_word_table(graph: onnx.ModelProto) -> None:
    """Replace the fp32 word table by int8 rows with one scale each, dequantised after the look-up."""
    from onnx import TensorProto, helper, numpy_helper

    table = next(tensor for tensor in graph.graph.initializer if tensor.name == "word_table")
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
    """The int8-related instruction sets of the CPU on which the outputs were compared."""
    from leanformer.machine import instruction_sets

    return [
        name for name in instruction_sets() if "vnni" in name or "amx" in name or name in ("avx2", "asimddp", "i8mm")
    ]
