"""The bench of sparsity: cells made once, exact bytes, and each row beside its controls."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.atlas import sparsity
from benchmarks.atlas.compressing import Made
from benchmarks.atlas.entries import read_atlas
from benchmarks.atlas.sparsity import dense_shape, main, room, stored, table
from benchmarks.pages import sparsity_table
from benchmarks.paths import ROOT
from leanformer.models.maps import maps
from tests.making.tiny import tiny_classifier

TECHNIQUES = [technique for technique in read_atlas().bench("sparsity") if technique.code]


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of two quick runs, the second of which makes nothing."""
    folder: Path = tmp_path_factory.mktemp("atlas")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparsity, "WORK", folder)
        patch.setattr(sys, "argv", [str(ROOT / "benchmarks" / "atlas" / "sparsity.py"), "--quick"])
        main(["--quick", "--only", "gptq", "early_pruning", "group_lasso"])
        patch.setattr(sparsity, "APPLY", {})
        main(["--quick", "--only", "gptq", "early_pruning", "group_lasso"])
    return folder / "atlas" / "quick-sparsity" / "quick.json"


def test_a_second_run_finds_its_cells(quick: Path):
    result = json.loads(quick.read_text(encoding="utf-8"))
    rows = {row["technique"]: row for row in result["rows"]}
    assert set(rows) == {"Few bits by GPTQ", "Early pruning", "Group lasso"}
    assert rows["Few bits by GPTQ"]["seeds"] == [13] and rows["Few bits by GPTQ"]["n"] == 24
    assert rows["Few bits by GPTQ"]["bits_a_weight"] == 3.59 and rows["Early pruning"]["bits_a_weight"] == 5
    assert rows["Few bits by GPTQ"]["plain"] == "nearest bits 3 group 32 symmetric False"
    assert rows["Few bits by GPTQ"]["time"] == "not faster on this CPU" != rows["Group lasso"]["time"]
    assert rows["Early pruning"]["control_bytes"] <= rows["Early pruning"]["bytes"]


def test_pages_show_what_is_measured_and_what_is_not(quick: Path):
    rows = json.loads(quick.read_text(encoding="utf-8"))["rows"]
    text = "\n".join(sparsity_table.tables(TECHNIQUES, rows))
    assert "| Few bits by GPTQ | nested lists |" in text and "| Movement pruning | not measured |" in text
    assert text.count("| Group lasso | nested lists |") == 2 and "for 6 steps of 8 rows" in text
    assert "for not measured steps" in sparsity_table.tables(TECHNIQUES, [])[0]


def test_a_file_has_int8_words_and_fp16_elsewhere():
    model = tiny_classifier()
    weights = sum(part.weight.numel() for part in maps(model).values())
    words = model.encoder.embeddings.word.weight
    others = sum(parameter.numel() for parameter in model.parameters()) - weights - words.numel()
    before = maps(model)["0.ffn.up"].weight.detach().clone()
    size = stored(Made(model, 3 * weights + 5))
    assert size == -(-(3 * weights + 5 + 8 * words.numel() + 16 * len(words) + 16 * others) // 8)
    assert torch.equal(maps(model)["0.ffn.up"].weight, before), "maps are as the technique left them"
    assert all(len(row.unique()) <= 32 for row in words)
    bias = model.encoder.layers[0].ffn.up.bias
    assert torch.equal(bias, bias.half().float())
    stored(Made(model, 0, whole=True))
    assert torch.equal(maps(model)["0.ffn.up"].weight, before.half().float()) and not torch.equal(before.half(), before)
    assert stored(Made(model, 0, table=80)) == stored(Made(model, 80)) - words.numel() - 2 * len(words)


def test_the_dense_model_has_as_many_weights_or_a_few_less():
    model = tiny_classifier()  # two layers of 4,096 weights of attention and 48 units of 64
    assert dense_shape(model, 2 * (4096 + 48 * 64), 8) == {"layers": 2, "ffn": 48}
    assert dense_shape(model, 2 * (4096 + 23 * 64), 8) == {"layers": 2, "ffn": 16}
    assert dense_shape(model, 4096 + 40 * 64, 8) == {"layers": 1, "ffn": 40}
    assert dense_shape(model, 100, 8) == {"layers": 1, "ffn": 8}
    assert room({"bytes": 1500}, {"bytes": 2000, "map_bits": 8000}) == 250


def cell(kind: str, right: str, seed: int = 13, size: int = 100, **options: Any) -> dict[str, Any]:
    settings = {"kind": kind, "set": "trec", "seed": seed, "options": options, "sizes": {}}
    return {
        "settings": settings, "right": right, "bytes": size, "map_bits": 8 * size - 80, "map_weights": 50,
        "cpu_seconds_made": 1.0,
    }  # fmt: skip


def test_each_row_is_compared_with_the_largest_dense_model_that_is_no_larger():
    dense = [cell("dense", right * 10, size=size, layers=size) for right, size in
             (("1111", 200), ("1100", 90), ("1000", 50), ("1110", 101))]  # fmt: skip
    cells = [
        *dense, cell("two_four", "1110" * 10, keep=2, of=4), cell("random_pattern", "0000" * 10, keep=2, of=4),
        cell("random_pattern", "1111" * 10, keep=1, of=4), cell("fp8", "0000" * 10, exponent=4, mantissa=3),
        cell("gobo", "1100" * 10, seed=14, bits=3, log_density=-4.0), cell("q8bert", "1111" * 10, bits=3),
    ]  # fmt: skip
    rows = {row["technique"]: row for row in table(TECHNIQUES, cells)}
    assert set(rows) == {"2:4 patterns", "FP8"}, (
        "no dense model has the seed of GOBO's cell, and Q8BERT's has other bits"
    )
    row = rows["2:4 patterns"]
    assert (row["control_quality"], row["difference"], row["control_bytes"]) == (50, 25, 90)
    assert (row["verdict"], rows["FP8"]["verdict"]) == ("better", "worse")
    assert (row["dense_quality"], row["dense_difference"]) == (100, -25)
    assert (row["plain_quality"], row["plain_difference"]) == (0, 75) and "plain" not in rows["FP8"]
    assert row["bits_a_weight"] == 14.4
