"""The engine protocol, from rows of token ids to logits, and its implementation with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np

from leanformer.artifact import AGAIN
from leanformer.batching import batches_by_length, pad_block
from leanformer.errors import ArtifactError
from leanformer.runtime.packing import Lines, fill_lines, pack, unpack


class Engine(Protocol):
    """A graph ready to run. `run` may be called from several Python threads at once."""

    def cut(self, rows: Sequence[np.ndarray], tokens: int | None = None) -> list[Lines]:
        """Which rows to run together, the longest first; `tokens` None lets the engine choose the pack size."""
        ...

    def run(self, rows: Sequence[np.ndarray], lines: Lines) -> np.ndarray:
        """Logits, float32, one row per row in `lines`, in their order; for a graph that tags words, one per token."""
        ...


class OnnxEngine:
    """ONNX Runtime on one graph, packed or padded, as determined by its inputs.

    Args:
        path: the graph; inputs `ids`, `positions`, `segments`, `first` (and optionally `types`) or else `input_ids`,
            `attention_mask` (and optionally `token_type_ids`).
        threads: threads that work together on one call.
        padding_id: padding id for the rows of a padded graph.

    Raises `ArtifactError` if the file is not a graph that ONNX Runtime can load.
    """

    # Large enough to make the fixed cost per call negligible, and small enough for a core's private cache.
    PACK_TOKENS, BATCH_TOKENS = 192, 1024
    # A fusion that replaces two operators by a slower one (docs/decisions/0014-packed-graph.md).
    DISABLED = ("SkipLayerNormFusion",)
    ENTRIES: ClassVar[dict[str, str]] = {
        # Idle threads that spin would take the cores from the tokenizer and from other processes.
        "session.intra_op.allow_spinning": "0",
        # On x86 without int8 dot products, sums of uint8 by int8 saturate, and probabilities are off by up to 0.04;
        # with weights converted to uint8 they are not. Elsewhere nothing changes (benchmarks/runtime/other_cpu.py).
        "session.x64quantprecision": "1",
    }

    def __init__(self, path: Path, threads: int, *, padding_id: int = 0) -> None:
        # Imported here, because it takes a tenth of a second and other engines do not need it.
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        for entry, value in self.ENTRIES.items():
            options.add_session_config_entry(entry, value)
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"], disabled_optimizers=list(self.DISABLED)
            )
        except Exception as error:  # ONNX Runtime has many error classes without a common base but Exception
            raise ArtifactError(f"{path}: ONNX Runtime cannot load it ({error}){AGAIN}") from error
        self._path, self._padding_id = path, padding_id
        names = {input_.name for input_ in self._session.get_inputs()}
        self._packed, self._takes_first = "ids" in names, "first" in names
        self.takes_types = bool({"types", "token_type_ids"} & names)

    def cut(self, rows: Sequence[np.ndarray], tokens: int | None = None) -> list[Lines]:
        if self._packed:
            return fill_lines([len(row) for row in rows], tokens or self.PACK_TOKENS)
        return [[[i] for i in batch] for batch in reversed(batches_by_length(rows, tokens or self.BATCH_TOKENS))]

    def run(self, rows: Sequence[np.ndarray], lines: Lines) -> np.ndarray:
        feed = self.feed(rows, lines)
        try:
            values = np.asarray(self._session.run(["logits"], feed)[0])
            return values if values.ndim == 2 else unpack(values, rows, lines)
        except Exception as error:  # as above
            raise ArtifactError(f"{self._path}: ONNX Runtime cannot run it ({error}){AGAIN}") from error

    def feed(self, rows: Sequence[np.ndarray], lines: Lines) -> dict[str, np.ndarray]:
        """The graph's inputs for these rows; token types are dropped if the graph does not use them."""
        if self._packed:
            return pack(rows, lines).feed(types=self.takes_types, first=self._takes_first)
        block = pad_block([rows[i] for line in lines for i in line], padding_id=self._padding_id)
        feed = {"input_ids": block.ids, "attention_mask": block.mask}
        if self.takes_types:
            feed["token_type_ids"] = np.zeros_like(block.ids) if block.types is None else block.types
        return feed
