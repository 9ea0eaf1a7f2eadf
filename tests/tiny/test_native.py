"""The compiled code gives the sums of numpy, bit for bit, for any text, table and number of threads."""

from __future__ import annotations

import copy
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from leanformer.errors import LeanformerError
from leanformer.linear.ngrams import _WORD
from leanformer.runtime.native import build, shipped
from leanformer.tiny import native
from leanformer.tiny.model import Group
from leanformer.tiny.native import NativeSums
from leanformer.tiny.predictor import NgramPredictor
from leanformer.tiny.rows import CharacterTokenizer
from tests.making.native import needs_compiler
from tests.making.ngrams import ODD_TEXTS, linear_artifact, random_group, random_model, random_texts
from tests.tiny.test_model import hash_of, some_groups

pytestmark = needs_compiler
TEXTS = [*ODD_TEXTS, *random_texts(300, seed=3)]


@pytest.mark.parametrize("level", ["generic", None])
@pytest.mark.parametrize("threads", [1, 3])
def test_it_computes_what_numpy_does(threads: int, level: str | None, monkeypatch: pytest.MonkeyPatch):
    if level is not None:
        monkeypatch.setenv("LEANFORMER_LEVEL", level)
    groups = some_groups(TEXTS[:40])
    rows = CharacterTokenizer().encode(TEXTS)
    sums = NativeSums(groups, threads)
    assert sums.level == level or level is None
    for ours, theirs in zip(sums(rows), random_model(groups).sums(rows), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(("dtype", "width"), [(np.int8, 1), (np.int8, 8), (np.int16, 13), (np.int8, 77)])
def test_sums_of_long_texts_do_not_overflow(dtype: type, width: int):
    """Thousands of n-grams with the largest values and the same sign."""
    texts = [" ".join(f"w{number}" for number in range(22_000)), "w1 " * 5000]
    rows = [np.frombuffer(text.encode("utf-32-le"), "<i4") for text in texts]
    hashes = np.unique(np.array([hash_of(f"w{number}") for number in range(22_000)], np.uint32))
    largest = np.full((len(hashes), width), np.iinfo(dtype).min, dtype)
    group = Group("words", 1, 1, largest, hashes, np.full(len(hashes), 4096, np.uint16))
    for ours, theirs in zip(NativeSums([group], 1)(rows), random_model([group]).sums(rows), strict=True):
        assert np.array_equal(ours, theirs)
    assert random_model([group]).sums(rows)[0].min() < -(2**31)


@pytest.mark.slow
def test_every_code_point_is_a_mark_a_space_or_part_of_a_word_as_in_python():
    letters = [chr(code) for code in range(sys.maxunicode + 1)]
    texts = [f"a{letter}b" for letter in letters]
    expected = [len(re.findall(_WORD, text)) for text in texts]
    rows = [np.array([ord("a"), code, ord("b")], np.int32) for code in range(len(letters))]
    group = random_group("words", (1, 1), 1, seed=1, hashed=11)
    assert NativeSums([group], 1)(rows)[1][:, 0].tolist() == expected


def test_no_rows_and_other_kinds_of_arrays():
    group = random_group("characters", (2, 3), 3, seed=1, hashed=11)
    sums = NativeSums([group], 1)
    assert [array.shape for array in sums([])] == [(0, 1, 3), (0, 1)]
    row = CharacterTokenizer().encode(["a quiet song"])[0]
    assert np.array_equal(sums([row])[0], sums([row.astype(np.int64)])[0])


# ---- where it cannot be compiled -----------------------------------------------------------------------------------


def test_without_a_compiler_numpy_gives_the_same_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    artifact = linear_artifact(tmp_path / "model")
    slow, quick = NgramPredictor(artifact, native=False), NgramPredictor(artifact)
    assert quick.engine == "native"
    with monkeypatch.context() as without_compiler:
        without_compiler.setenv(shipped.VARIABLE, "1")
        without_compiler.setenv("CXX", "no-such-compiler")
        for kept in (native._library, build.library):
            kept.cache_clear()
        without = NgramPredictor(artifact)
    native._library.cache_clear()
    assert (without.engine, without.engine_used.level) == ("numpy", None)
    assert "no-such-compiler" in without.engine_reason and "remedy: " in without.engine_reason
    values = [predictor.infer(predictor.tokenize(TEXTS)) for predictor in (slow, without, quick)]
    assert np.array_equal(values[0], values[1]) and np.array_equal(values[0], values[2])
    assert np.abs(np.diff(values[0], axis=0)).max() > 0


def test_a_level_that_the_cpu_has_not(monkeypatch: pytest.MonkeyPatch):
    class Old:
        @staticmethod
        def leanformer_ngrams_avx2() -> int:
            return 0

    monkeypatch.setenv("LEANFORMER_LEVEL", "avx2")
    with pytest.raises(LeanformerError, match="remedy: generic"):
        native._level(Old())  # type: ignore[arg-type]
    monkeypatch.delenv("LEANFORMER_LEVEL")
    assert native._level(Old()) == "generic"  # type: ignore[arg-type]


def test_it_works_in_copies_and_in_other_processes(tmp_path: Path):
    predictor = NgramPredictor(linear_artifact(tmp_path / "model"), threads=2)
    expected = predictor.infer(predictor.tokenize(TEXTS))
    for again in (copy.deepcopy(predictor), pickle.loads(pickle.dumps(predictor))):
        assert np.array_equal(again.infer(again.tokenize(TEXTS)), expected)
    code = (
        "import sys, os, numpy, leanformer; model = leanformer.load(sys.argv[1], threads=2); model.predict(['a']); "
        "child = os.fork(); child and os.wait(); print(model.predict(['a quiet song'] * 400)[399].label)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model")]
    run = subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=60)
    assert run.returncode == 0 and run.stdout.split() == [predictor.predict(["a quiet song"])[0].label] * 2, run.stderr
