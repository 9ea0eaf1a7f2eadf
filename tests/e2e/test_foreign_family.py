"""A family that we do not map (DeBERTa): it runs with PyTorch, says what could not be done, and can teach a student."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
)

import leanformer
from leanformer.artifact import open_artifact
from leanformer.loading import open_predictor
from leanformer.recipe.library import find_recipe
from tests.e2e.test_compress import distil, run
from tests.making.every_format import unmapped_checkpoint
from tests.making.graphs import folder_bytes
from tests.making.tiny import LABELS, VOCABULARY, roughen, tiny_dataset, tiny_tokenizer


@pytest.fixture(scope="module")
def deberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unmapped_checkpoint(tmp_path_factory.mktemp("deberta"))


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=64, pad_token_id=0,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    tiny_tokenizer(folder)
    return folder


@pytest.mark.slow
def test_quick_goes_through_and_says_what_could_not_be_done(deberta: Path, tmp_path: Path):
    before = folder_bytes(deberta)
    result = run(deberta, tmp_path / "lean", find_recipe("quick"))
    assert folder_bytes(deberta) == before
    assert not result.within
    *first, floor = result.report.rungs
    assert len(first) == 3 and floor.name == "linear on n-grams"
    assert all(rung.runtime.startswith("PyTorch") and rung.format == "transformers" for rung in first)
    assert result.report.choice is not None
    assert result.report.choice["rung"] == "PyTorch, batches by length"
    assert "no compressed rung could be made (see the notes)" in result.report.choice["reason"]
    told = [note for note in result.report.notes if note.startswith("left out: ")]
    assert [note.split(": ")[1] for note in told] == ["onnx", "int8"]
    assert "'deberta-v2' is not one" in told[0] and "student.start" in told[0]
    # What is kept is the model as it came; the card tells how it is run, which is not by the light runtime.
    assert open_artifact(tmp_path / "lean").format == "transformers"
    assert len(open_predictor(tmp_path / "lean", threads=1).tokenize(["goal"])[0]) == 3
    card = (tmp_path / "lean" / "README.md").read_text(encoding="utf-8")
    assert "leanformer[train]" in card and "leanformer.load" not in card


@pytest.mark.slow
def test_it_teaches_a_student_of_a_mapped_family(deberta: Path, bert: Path, tmp_path: Path):
    recipe = distil().with_options({"student.start": str(bert)})
    result = run(deberta, tmp_path / "lean", recipe, max_drop=100, goal="size")
    assert result.within
    names = [rung.name for rung in result.report.rungs]
    assert names[3:] == ["linear on n-grams", "distilled to 3 layers", "int8"]
    assert result.report.rungs[4].after == "PyTorch, batches by length"
    assert result.report.choice is not None
    assert result.report.choice["rung"] == "int8"
    assert leanformer.load(tmp_path / "lean", threads=1).predict(["rain and snow"])[0].label in LABELS
    assert [entry["step"] for entry in result.artifact.history] == [
        "import", "compress.distil", "export.onnx", "export.int8",
    ]  # fmt: skip


@pytest.mark.slow
def test_quick_on_a_folder_that_stock_transformers_saved(tmp_path: Path):
    """The labels are those of the folder's own config.json; the answers those of transformers."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=64, pad_token_id=0, id2label=dict(enumerate(reversed(LABELS))),
    )  # fmt: skip
    stock = BertForSequenceClassification(config).eval()
    roughen(stock, seed=11)
    stock.save_pretrained(tmp_path / "stock")
    tiny_tokenizer(tmp_path / "stock")
    recipe = find_recipe("quick").with_options({"int8.max_flips": 1.0, "int8.max_mean_share": 10.0})
    made = run(tmp_path / "stock", tmp_path / "lean", recipe, max_drop=100)
    assert [rung.name for rung in made.report.rungs][3:] == ["linear on n-grams", "our ONNX graph", "int8"]
    assert made.artifact.task.labels == tuple(reversed(LABELS))
    fp32 = next(path for path in (tmp_path / "lean.work" / "steps").iterdir() if path.name.startswith("onnx-"))
    text = tiny_dataset().test.texts[0]  # type: ignore[union-attr]
    ids = torch.tensor(leanformer.load(fp32, threads=1).tokenize([text])[0])[None].long()
    expected = torch.softmax(stock(ids).logits, -1)[0]
    ours = leanformer.load(fp32, threads=1).predict([text])[0].probabilities
    np.testing.assert_allclose(list(ours.values()), expected.detach().numpy(), atol=1e-4)
