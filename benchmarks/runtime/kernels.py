"""What single choices of ours gave on this machine: writes benchmarks/results/kernels.json.

- dropout: one MiniLM training step with our dropout and with PyTorch's.
- workers: batches of a MiniLM graph on one-thread workers, and one by one on a session with all threads.

Each pair is timed in turn, 20 rounds; figures are medians in milliseconds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from benchmarks.paths import RESULTS
from benchmarks.provenance import provenance
from leanformer.export.graphs.packed_graph import packed_graph
from leanformer.files import write_json
from leanformer.models.classifier import Classifier
from leanformer.models.dropout import Dropout
from leanformer.runtime.cores import allowed_cores
from leanformer.runtime.engines.engine import OnnxEngine
from leanformer.shapes.encoder import EncoderConfig, LayerShape

ROUNDS = 20
MINILM = EncoderConfig(
    vocabulary=30522, hidden=384, head_size=32, layers=(LayerShape(12, 1536),) * 6, positions=512, token_types=2,
    activation="gelu", norm_epsilon=1e-12, dropout=0.1, attention_dropout=0.0, padding_id=0, labels=2,
)  # fmt: skip


def timed_in_turn(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    """Median milliseconds of each, after one warm-up."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(ROUNDS + 1):
        for run, kept in ((first, times[0]), (second, times[1])):
            start = time.perf_counter()
            run()
            if turn:
                kept.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[0]), statistics.median(times[1])


def with_torch_dropout(model: nn.Module) -> nn.Module:
    """Replace our dropout by PyTorch's throughout."""
    for module in model.modules():
        for name, child in module.named_children():
            if isinstance(child, Dropout):
                setattr(module, name, nn.Dropout(child.probability))
    return model


def dropout() -> dict[str, float]:
    ids = torch.randint(1000, 20000, (64, 14))
    mask = torch.ones_like(ids)

    def step(model: nn.Module) -> Callable[[], object]:
        model.train()
        return lambda: model(ids, mask).sum().backward()

    torch.manual_seed(0)
    ours, theirs = timed_in_turn(step(Classifier(MINILM)), step(with_torch_dropout(Classifier(MINILM))))
    return {"ours_ms": ours, "torch_ms": theirs, "rows": 64, "tokens": 14}


def workers() -> dict[str, float]:
    """16 batches of 8 rows of 25 tokens, on one-thread workers or one by one on a session with all threads."""
    threads = allowed_cores()
    rows = list(np.random.default_rng(0).integers(1000, 20000, (128, 25)))
    packs = [[[i] for i in range(start, start + 8)] for start in range(0, 128, 8)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(packed_graph(Classifier(MINILM)), path)
        alone, together = OnnxEngine(path, 1), OnnxEngine(path, threads)
        with ThreadPoolExecutor(threads) as pool:
            spread, shared = timed_in_turn(
                lambda: list(pool.map(lambda pack: alone.run(rows, pack), packs)),
                lambda: [together.run(rows, pack) for pack in packs],
            )
    return {"one_thread_workers_ms": spread, "one_session_all_threads_ms": shared, "threads": threads, "batches": 16}


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    threads = allowed_cores()
    torch.set_num_threads(threads)
    result = {
        "rounds": ROUNDS,
        "dropout": dropout(),
        "workers": workers(),
        **provenance(threads),
    }
    path = RESULTS / "kernels.json"
    write_json(path, result)
    print(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
