"""Export to a clean ONNX graph.

What: writes the model as one ONNX file that runs on packed sequences, concatenated without padding, with one matrix
    product for queries, keys and values and a last layer computed for the first token only. `leanformer export`
    converts it to a standard padded file (`input_ids`, `attention_mask`, for pairs `token_type_ids` -> `logits`).
    Families with relative or rotary positions, local windows or mean pooling, and recurrent models, get a padded file
    directly.
Paper: the graph is our own; ONNX operator set 20.
Helps: always: the model runs without torch, and faster.
Hurts: the exported model cannot be trained further. Quality is unchanged; a parity gate compares it with PyTorch.
Needs: torch and onnx; a model of a mapped family; some text for the gate.
Example: {step: export.onnx, rung: our own ONNX graph}
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from leanformer.artifact import Artifact, open_artifact, write_manifest
from leanformer.data.examples import sampled
from leanformer.errors import DataError, GateError
from leanformer.exits import copy_exits
from leanformer.formats import function_of
from leanformer.inputs.kinds import input_of
from leanformer.outputs.folders import new_artifact
from leanformer.predictor import logits
from leanformer.runtime.predictor import GRAPH, TOKENIZER, LightPredictor
from leanformer.shapes.of_artifact import graph_properties
from leanformer.shapes.planned import PlannedShape
from leanformer.step import Context, Make, record

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Onnx(Make):
    """Write the encoder classifier as an ONNX artifact and compare the two on dev."""

    max_difference: float = 1e-3  # largest absolute logit difference to PyTorch
    max_mean_share: float = 1e-4  # largest mean logit difference, as a share of the logits' standard deviation
    max_flips: float = 0.0  # largest share of dev labels that may change
    gate_texts: int = 1000  # dev texts to compare on, at most

    technique: ClassVar[str] = "export.onnx"
    version: ClassVar[int] = 2
    consumes: ClassVar[tuple[str, ...]] = ("encoder", "bilstm")
    produces: ClassVar[str] = "onnx"
    lossless: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self.at_least(1, "gate_texts")
        super().__post_init__()

    def planned(self, shape: PlannedShape) -> PlannedShape:
        return replace(shape, precision="fp32")

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        import onnx
        import torch

        from leanformer.export.graphs.graph import operator_counts
        from leanformer.export.parity import check, compare, gate_examples
        from leanformer.models.predictor import TorchPredictor

        examples = gate_examples(context.data)
        if examples is None:
            raise DataError(
                "export compares the graph with PyTorch on dev texts, and there are none", path=context.data.name
            )
        torch.set_num_threads(context.threads)
        texts = sampled(examples, self.gate_texts, context.seed)
        graph, expected, facts = function_of(artifact, "graph")(artifact)
        counts = operator_counts(graph)
        if counts != expected:
            raise GateError(f"export.onnx: the graph has operators {counts}, expected {expected}")
        properties = {**artifact.properties, **facts, "precision": "fp32", "operators": counts}
        entry = record(self, artifact)
        with new_artifact(output) as temporary:
            onnx.save(graph, temporary / GRAPH)
            shutil.copyfile(artifact.file(TOKENIZER), temporary / TOKENIZER)
            copy_exits(artifact, temporary)
            draft = write_manifest(
                temporary, format="onnx", task=artifact.task, max_tokens=artifact.max_tokens,
                history=(*artifact.history, entry), properties=properties,
            )  # fmt: skip
            ours = logits(LightPredictor(draft, threads=context.threads, tuning=False), texts)
            parity = compare(ours, logits(TorchPredictor(artifact), texts), artifact.task)
            context.say(
                f"parity with PyTorch on {parity.n} dev texts: largest logit difference {parity.max_difference:.1e}, "
                f"{100 * parity.flips:.2f} % of labels changed"
            )
            check(
                parity,
                step="export.onnx",
                max_difference=self.max_difference,
                mean_share=self.max_mean_share,
                flips=self.max_flips,
            )
            write_manifest(
                temporary, format="onnx", task=artifact.task, max_tokens=artifact.max_tokens,
                history=(*artifact.history, entry | {"parity": parity.to_json()}), properties=properties,
            )  # fmt: skip
        return open_artifact(output)


def graph_of_encoder(artifact: Artifact) -> tuple[onnx.ModelProto, dict[str, int], dict[str, Any]]:
    """The graph of an encoder, its expected operators, and its properties for readers."""
    from leanformer.export.graphs.attention_kinds import need_graphs
    from leanformer.export.graphs.encoder_graph import encoder_graph, expected_operators
    from leanformer.export.graphs.packed_graph import can_pack, expected_packed_operators, packed_graph
    from leanformer.models.store import read_model

    model = read_model(artifact)
    need_graphs(model.config, artifact.path)
    # In a graph for pairs, the third input distinguishes the two texts.
    token_types = input_of(artifact.task).paired and model.config.reads_token_types
    packed = can_pack(model.config)
    make, expect = (packed_graph, expected_packed_operators) if packed else (encoder_graph, expected_operators)
    facts = {**graph_properties(model.config), "layout": "packed" if packed else "padded"}
    return make(model, token_types=token_types), expect(model.config, token_types=token_types), facts


def graph_of_recurrent(artifact: Artifact) -> tuple[onnx.ModelProto, dict[str, int], dict[str, Any]]:
    """The same for a recurrent classifier."""
    from leanformer.export.graphs.lstm_graph import expected_lstm_operators, lstm_graph
    from leanformer.models.bilstm_store import read_bilstm

    model = read_bilstm(artifact)
    config = model.config
    return lstm_graph(model), expected_lstm_operators(config), {**graph_properties(config), "layout": "padded"}
