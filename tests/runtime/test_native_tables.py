"""Models of a family, opened in one process, have one copy of the tables that are equal in all of them."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

from leanformer.artifact import Artifact
from leanformer.compress.prune.layer_drop import LayerDrop
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.runtime.engines.native_engine import NativeEngine
from leanformer.runtime.native import tables
from leanformer.runtime.native.tables import kept_once
from leanformer.tokenizer import Tokenizer
from tests.making.graphs import make_context
from tests.making.native import needs_compiler
from tests.making.tiny import tiny_artifact, tiny_texts


def table(seed: int, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 100, (64, 32)).astype(dtype)


def test_equal_tables_are_one_and_others_are_not():
    first, second = kept_once(table(1)), kept_once(table(1))
    assert first is second and np.array_equal(first, table(1))
    assert kept_once(table(2)) is not first
    assert kept_once(table(1).reshape(32, 64)) is not first
    assert kept_once(table(1).view(np.int32)) is not first


def test_a_view_of_a_file_is_copied_and_a_small_one_is_not_looked_for():
    file = b"x" + table(3).tobytes()
    view = np.frombuffer(file, np.float32, 64 * 32, offset=1).reshape(64, 32)
    kept = kept_once(view)
    assert kept.base is None and kept.flags.aligned and np.array_equal(kept, table(3))
    small = kept_once(view[:1])
    assert small.base is None and kept_once(view[:1]) is not small


def test_a_table_is_freed_with_the_last_model():
    before = len(tables._kept)
    first, second = kept_once(table(4)), kept_once(table(4))
    assert len(tables._kept) == before + 1
    del first
    gc.collect()
    assert kept_once(table(4)) is second
    del second
    gc.collect()
    assert len(tables._kept) == before


@pytest.mark.slow
@needs_compiler
def test_a_shorter_member_of_a_family_shares_its_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "_SMALLEST_BYTES", 1)
    encoder = tiny_artifact(tmp_path / "encoder", seed=11)
    context = make_context(tmp_path, encoder)
    shorter = LayerDrop(drop=1)(encoder, context, tmp_path / "shorter")

    def exported(model: Artifact, name: str) -> Artifact:
        graph = Onnx()(model, context, tmp_path / f"{name}-onnx")
        return Int8(method="per_token", max_flips=1.0, max_mean_share=1.0)(graph, context, tmp_path / name)

    members = [exported(encoder, "whole"), exported(shorter, "short")]
    engines = [NativeEngine(member.file("model.onnx"), member.properties) for member in members]
    whole, short = ([array for array in engine._model._tables if array is not None] for engine in engines)
    assert len(whole) == len(short) >= 3
    assert all(table is other for table, other in zip(whole, short, strict=True))
    rows = Tokenizer(members[1].file("tokenizer.json"), 32).encode(tiny_texts(5, seed=1)[0])
    expected = engines[1].run(rows, [[index] for index in range(5)])
    del engines, whole, short
    gc.collect()
    alone = NativeEngine(members[1].file("model.onnx"), members[1].properties)
    assert np.array_equal(alone.run(rows, [[index] for index in range(5)]), expected)
