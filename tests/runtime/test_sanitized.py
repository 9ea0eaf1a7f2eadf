"""The native engine under AddressSanitizer and UBSan, at every level that this CPU has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.making.graphs import make_embedder
from tests.making.native import needs_compiler, usable_levels
from tests.making.sanitized import FAULT, needs_sanitizers, run_sanitized
from tests.runtime import test_native, test_native_families, test_native_recurrent

pytestmark = [pytest.mark.slow, needs_compiler, needs_sanitizers]


def _run(artifacts: list[Path]) -> None:
    done = run_sanitized("tests/sanitizers/odd_rows.py", *map(str, artifacts))
    assert done.returncode == 0, (FAULT.search(done.stderr) or [done.stderr[-3000:]])[0]
    lines = done.stdout.splitlines()
    ran = [line for line in lines if line.split()[-1].isdigit()]
    assert len(ran) == len(artifacts) * len(usable_levels()), done.stdout


def test_encoders(tmp_path: Path) -> None:
    made = [
        test_native.made(tmp_path / name.replace(" ", "_"), **shape).path for name, shape in test_native.SHAPES.items()
    ]
    _run(made)


def test_encoders_of_other_families(tmp_path: Path) -> None:
    shapes = test_native_families.SHAPES
    _run([test_native.made(tmp_path / f"{number}", **shape).path for number, shape in enumerate(shapes.values())])


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_encoders_that_give_vectors(tmp_path: Path, pooling: str) -> None:
    shapes = ({}, test_native_families.MPNET, test_native_families.MODERNBERT)
    _run([make_embedder(tmp_path / f"{number}", pooling, **shape)[2].path for number, shape in enumerate(shapes)])


@pytest.mark.parametrize("method", ["mixed", "dynamic"])
def test_encoders_with_other_tables(tmp_path: Path, method: str) -> None:
    """A word table in fp32, and files of ONNX Runtime's own quantiser, whose tensors lie at other addresses."""
    encoder, fp32 = test_native.make_onnx(tmp_path, config=test_native.tiny_config(**test_native.ODD))
    step = test_native.Int8(method=method, word_table=False, **test_native.LOOSE)
    _run([step(fp32, test_native.make_context(tmp_path / "c", encoder), tmp_path / "int8").path])


@pytest.mark.parametrize("pooling", ["none", "ends"])
def test_recurrent_students(tmp_path: Path, pooling: str) -> None:
    shapes = test_native_recurrent.SHAPES
    _run([test_native_recurrent.made(tmp_path / name, pooling=pooling, **shape)[1].path
          for name, shape in shapes.items()])  # fmt: skip


def test_a_fault_would_be_seen() -> None:
    """A table at an odd address is what was read before without anybody noticing."""
    done = run_sanitized("tests/sanitizers/fault.py")
    assert done.returncode != 0 and FAULT.search(done.stderr), done.stderr
