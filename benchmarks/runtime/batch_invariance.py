"""Whether an answer depends on its batch, over 10,000 texts: benchmarks/results/batch_invariance.json.

    python -m benchmarks.runtime.batch_invariance [--texts 10000] [--engine NAME] [--teacher FOLDER]

Real texts of SST-2 and the ladder's teacher; every engine, fp32 and every kind of int8. Each text is scored alone
(`exact=True`), and then in packs, in small packs, in packs in another order, and in padded batches of two sizes. The
probabilities may stray by 1e-5 in fp32 and by 0.02 in int8, and a label may change only where the top two are closer
than 0.02. "int8 dynamic" has scales per tensor and is there to fail. Rows that were measured before, of the same graph
and texts, are kept, so a killed run goes on; it takes half an hour on two cores. Nothing here is timed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.paths import RESULTS
from benchmarks.provenance import provenance
from benchmarks.runtime.deviations import FP32_BOUND, INT8_BOUND, deviation
from leanformer.artifact import Artifact, open_artifact, write_manifest
from leanformer.errors import ArtifactError, MissingExtraError
from leanformer.export.standard import write_standard_onnx
from leanformer.files import sha256_json, write_json
from leanformer.metrics.probabilities import softmax
from leanformer.predictor import logits
from leanformer.runtime.predictor import ENGINES, LightPredictor

METHODS = ("mixed", "per_token", "static", "dynamic")
SMALL_PACK, PADDED = 64, (256, 4096)


def padded(artifact: Artifact, folder: Path) -> Artifact:
    """The same weights as a padded graph, in a new folder."""
    folder.mkdir(parents=True)
    write_standard_onnx(artifact, folder / "model.onnx")
    shutil.copyfile(artifact.file("tokenizer.json"), folder / "tokenizer.json")
    return write_manifest(
        folder, format="onnx", task=artifact.task, max_tokens=artifact.max_tokens, properties=artifact.properties
    )


def probabilities(predictor: LightPredictor, texts: list[str]) -> np.ndarray:
    """`[texts, labels]`, float64."""
    return softmax(logits(predictor, texts).astype(np.float64))


def compositions(
    artifact: Artifact, block: Artifact, engine: str, texts: list[str], seed: int = 5
) -> Iterator[tuple[str, np.ndarray]]:
    """Probabilities in every kind of batch that the engine knows, each with its name.

    Args:
        block: the same weights as a padded graph, which ONNX Runtime alone runs.
    """
    packs = LightPredictor(artifact, threads=1, engine=engine)
    yield "packs", probabilities(packs, texts)
    small = LightPredictor(artifact, threads=1, engine=engine, pack_tokens=SMALL_PACK)
    yield f"packs of {SMALL_PACK} tokens", probabilities(small, texts)
    order = np.random.default_rng(seed).permutation(len(texts))
    shuffled = np.empty((len(texts), artifact.task.outputs))
    shuffled[order] = probabilities(packs, [texts[i] for i in order])
    yield "packs, in another order", shuffled
    pairs = np.empty_like(shuffled)
    for start in range(0, len(texts), 2):
        pairs[start : start + 2] = probabilities(packs, texts[start : start + 2])
    yield "two at a time", pairs
    if engine == "onnxruntime":
        for tokens in PADDED:
            one = LightPredictor(block, threads=1, pack_tokens=tokens)
            yield f"padded batches of {tokens} tokens", probabilities(one, texts)


def walk(name: str, artifact: Artifact, block: Artifact, engine: str, texts: list[str]) -> dict[str, Any]:
    """One engine on one graph: how far each kind of batch strays from being alone, or why it cannot run."""
    row: dict[str, Any] = {"precision": name, "engine": engine}
    try:
        alone = probabilities(LightPredictor(artifact, threads=1, exact=True, engine=engine), texts)
    except (MissingExtraError, ArtifactError) as error:
        return row | {"left_out": str(error).splitlines()[0]}
    bound = FP32_BOUND if name == "fp32" else INT8_BOUND
    ways = {way: deviation(ours, alone, bound) for way, ours in compositions(artifact, block, engine, texts)}
    return row | {
        "ways": ways,
        "within": all(way["within"] for way in ways.values()),
        "fewest_bit_equal": min(way["bit_equal"] for way in ways.values()),
    }


def expected(row: dict[str, Any]) -> bool:
    """Whether a row says what it should: scales per tensor stray, all else stays; what cannot run says nothing.

    Our own engine takes scales of its own, one for each token, whatever the file was made for.
    """
    per_tensor = row["precision"] == "int8 dynamic" and row["engine"] != "native"
    return "left_out" in row or row["within"] != per_tensor


def main() -> int:
    from benchmarks.ladders.run import open_named, teacher_of
    from benchmarks.runtime.our_engines import graphs_of

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--engine", action="append", choices=ENGINES, help="these engines alone")
    parser.add_argument("--teacher", type=Path, help="an encoder artifact to use instead of the ladder's")
    parser.add_argument("--output", type=Path, default=RESULTS / "batch_invariance.json")
    arguments = parser.parse_args()
    data = open_named("sst2")
    assert data.train is not None and data.dev is not None and data.test is not None
    teacher = open_artifact(arguments.teacher) if arguments.teacher else teacher_of("sst2", data)
    # Sentences first: two thirds of the training phrases have fewer than ten words.
    sentences = [*data.test.texts, *data.dev.texts, *data.train.texts]
    texts = sentences[: arguments.texts]
    asked = sha256_json(texts)
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    if arguments.output.is_file():
        old = json.loads(arguments.output.read_text(encoding="utf-8"))["rows"]
        rows = {(stored["precision"], stored["engine"]): stored for stored in old}
    with tempfile.TemporaryDirectory() as scratch:
        for name, artifact in graphs_of(teacher, data, Path(scratch), METHODS).items():
            shown = name if name == "fp32" else f"int8 {name}"
            block = padded(artifact, Path(scratch, "padded", name))
            key = {"content_hash": artifact.content_hash, "texts_hash": asked}
            for engine in arguments.engine or ENGINES:
                row = rows.get((shown, engine), {})
                if "ways" not in row or row | key != row:
                    row = rows[shown, engine] = walk(shown, artifact, block, engine, texts) | key
                    result = {"texts": len(texts), "rows": list(rows.values()), **provenance(1)}
                    write_json(arguments.output, result)
                told = {field: row[field] for field in ("within", "fewest_bit_equal", "left_out") if field in row}
                print(shown, engine, told, flush=True)
    wrong = [f"{row['precision']}, {row['engine']}" for row in rows.values() if not expected(row)]
    for problem in wrong:
        print(f"not as it should be: {problem}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
