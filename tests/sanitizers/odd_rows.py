"""Every level of the native engine over rows of odd lengths: `python odd_rows.py FOLDER...`, each an artifact.

Prints a line for each artifact and level. Run by tests/runtime/test_sanitized.py in a process of its own.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from leanformer.artifact import open_artifact
from leanformer.errors import LeanformerError
from leanformer.runtime.engines.native_engine import NativeEngine
from leanformer.runtime.native.levels import levels

LENGTHS = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64)


def run_level(folder: str, level: str) -> int:
    """How many texts were answered."""
    artifact = open_artifact(folder)
    engine = NativeEngine(artifact.file("model.onnx"), artifact.properties, level=level)
    known, generator, answered = engine._weights, np.random.default_rng(0), 0
    longest = known.positions or max(LENGTHS)
    lengths = [length for length in (*LENGTHS, longest) if length <= longest]
    rows = [generator.integers(0, known.vocabulary, length).astype(np.int32) for length in lengths]
    rows += [np.full(3, known.vocabulary - 1, np.int32)]
    if known.types:
        rows = [np.stack([row, row % known.types], axis=1) for row in rows]
    for threads in (1, 2, 3):
        crew = engine.together(threads)
        for tokens in (1, 20, 10_000):
            for lines in crew.cut(rows, tokens):
                assert np.isfinite(crew.run(rows, lines)).all()
                answered += sum(len(line) for line in lines)
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda i, crew=crew: crew.run(rows, [[i]]), range(len(rows))))
    for wrong in ([known.vocabulary], [-1], [2**31 - 1], []):
        try:
            engine.run([np.array(wrong, np.int32)], [[0]])
        except ValueError:
            continue
        raise AssertionError(f"ids {wrong} were answered")
    return answered


if __name__ == "__main__":
    for each in sys.argv[1:]:
        for name in levels():
            try:
                print(each, name, run_level(each, name), flush=True)
            except LeanformerError as error:  # the CPU has it not
                print(each, name, error, flush=True)
