"""What the native engine keeps of a file once it is loaded: its tables, and not the file."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from pathlib import Path

import numpy as np
import pytest

from leanformer.runtime.engines.native_engine import NativeEngine
from leanformer.runtime.native import tables
from leanformer.shapes.encoder import LayerShape
from tests.making.native import needs_compiler
from tests.runtime import test_native, test_native_recurrent

pytestmark = needs_compiler


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["encoder", "recurrent"])
def test_the_file_is_not_kept(tmp_path: Path, kind: str) -> None:
    if kind == "encoder":
        artifact = test_native.made(tmp_path, layers=(LayerShape(4, 4000), LayerShape(4, 4000)))
    else:
        artifact = test_native_recurrent.made(tmp_path, units=150, projection=200)[1]
    path = artifact.file("model.onnx")
    NativeEngine(path, artifact.properties)  # whatever is kept once, for all
    tracemalloc.start()
    try:
        engine = NativeEngine(path, artifact.properties)
        gc.collect()
        held, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    tables = sum(table.nbytes for table in engine._model._tables if table is not None)
    assert most > path.stat().st_size, "what Python and numpy hold is traced"
    assert held < tables + 50_000 < path.stat().st_size / 2


@pytest.mark.parametrize("word_table", [True, False])
def test_tables_are_aligned_and_their_own(tmp_path: Path, word_table: bool) -> None:
    encoder, fp32 = test_native.make_onnx(tmp_path, config=test_native.tiny_config(**test_native.ODD))
    step = test_native.Int8(method="per_token", word_table=word_table, **test_native.LOOSE)
    artifact = step(fp32, test_native.make_context(tmp_path / "c", encoder), tmp_path / "int8")
    engine = NativeEngine(artifact.file("model.onnx"), artifact.properties)
    tables = [table for table in engine._model._tables if table is not None]
    assert len(tables) >= 2
    for table in tables:
        assert table.flags.owndata and table.ctypes.data % table.itemsize == 0


def test_a_model_that_is_gone_leaves_nothing(tmp_path: Path) -> None:
    artifact = test_native.made(tmp_path)
    engine = NativeEngine(artifact.file("model.onnx"), artifact.properties)
    crew = engine.together(2)
    model, tables = (
        weakref.ref(engine._model),
        [weakref.ref(table) for table in engine._model._tables if table is not None],
    )
    del engine
    gc.collect()
    assert model() is not None, "still used"
    del crew
    gc.collect()
    assert model() is None and all(table() is None for table in tables)


def test_an_array_at_an_odd_address_is_moved() -> None:
    odd = np.frombuffer(b"\0" * 41, np.float32, offset=1)
    assert not odd.flags.aligned
    moved = tables._apart(odd)
    assert moved.flags.aligned and np.array_equal(moved, odd)
    own = np.zeros(4, np.float32)
    assert tables._apart(own) is own, "and nothing is copied twice"
