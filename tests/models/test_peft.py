"""Adapters in peft's folder format: merged by their formulas, and refused where that would not be the same model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from leanformer.errors import CheckpointError
from leanformer.models.hf.peft import merge_adapter
from leanformer.models.store import find_checkpoint, import_checkpoint, start_classifier
from tests.making.checkpoints import edit, save_bert
from tests.making.commands import make_command
from tests.making.tiny import LABELS, TASK

QUERY = "bert.encoder.layer.1.attention.self.query"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_bert(tmp_path_factory.mktemp("peft") / "base")


def write(folder: Path, base: Path, tensors: dict[str, torch.Tensor] | None = None, **config: Any) -> Path:
    folder.mkdir()
    drawn = torch.Generator().manual_seed(2)
    if tensors is None:
        tensors = {f"{QUERY}.lora_A.weight": torch.randn(2, 32, generator=drawn),
                   f"{QUERY}.lora_B.weight": torch.randn(32, 2, generator=drawn)}  # fmt: skip
    save_file(
        {f"base_model.model.{name}": value for name, value in tensors.items()}, folder / "adapter_model.safetensors"
    )
    given = {"peft_type": "LORA", "task_type": "SEQ_CLS", "r": 2, "lora_alpha": 6, "base_model_name_or_path": str(base)}
    (folder / "adapter_config.json").write_text(json.dumps(given | config))
    return folder


def test_a_low_rank_update_is_added_and_nothing_else_changes(base: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "lora", base)
    before, after = load_file(base / "model.safetensors"), load_file(find_checkpoint(str(folder)) / "model.safetensors")
    parts = load_file(folder / "adapter_model.safetensors")
    a, b = (parts[f"base_model.model.{QUERY}.lora_{name}.weight"] for name in "AB")
    assert torch.allclose(after[f"{QUERY}.weight"], before[f"{QUERY}.weight"] + 3.0 * b @ a, atol=1e-6)
    changed = [name for name, value in before.items() if not torch.equal(value, after[name])]
    assert changed == [f"{QUERY}.weight"] and before.keys() == after.keys()
    scaled = write(tmp_path / "rs", base, use_rslora=True, alpha_pattern={"self.query": 2.0})
    after = load_file(find_checkpoint(str(scaled)) / "model.safetensors")
    assert torch.allclose(after[f"{QUERY}.weight"], before[f"{QUERY}.weight"] + 2**0.5 * b @ a, atol=1e-6)


def test_an_adapter_of_a_bare_encoder_brings_its_head_and_its_labels(base: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(base, bare)
    weights = load_file(base / "model.safetensors")
    save_file(
        {name.removeprefix("bert."): value for name, value in weights.items() if not name.startswith("classifier")},
        bare / "model.safetensors",
    )
    edit(bare / "config.json", architectures=["BertModel"], id2label=None, label2id=None)
    head = {f"classifier.{part}": weights[f"classifier.{part}"] for part in ("weight", "bias")}
    parts = {f"{QUERY}.lora_A.weight": torch.ones(2, 32), f"{QUERY}.lora_B.weight": torch.ones(32, 2)}
    folder = write(tmp_path / "lora", bare, {**parts, **head})
    made = import_checkpoint(str(folder), tmp_path / "made", labels=LABELS)
    assert made.task.labels == LABELS, "LABEL_0 to LABEL_2, in this order"
    model = start_classifier(str(folder), TASK)[0]
    assert torch.equal(model.head.classifier.weight, head["classifier.weight"])
    assert torch.allclose(model.encoder.layers[1].attention.query.weight, weights[f"{QUERY}.weight"] + 6.0, atol=1e-5)


def _pickled(folder: Path) -> None:
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")


def _short(folder: Path) -> None:
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-8])


@pytest.mark.parametrize(
    ("config", "change", "message"),
    [
        ({"base_model_name_or_path": "some/encoder"}, None,
         r"an adapter of some/encoder, which is not a folder on this machine\n  remedy: name its base: leanformer"),
        ({"base_model_name_or_path": None}, None, "a base model that it does not name"),
        ({"peft_type": "PREFIX_TUNING"}, None, r"kind 'PREFIX_TUNING'; read are LORA, IA3.*\n  remedy: merge it where"),
        ({"init_lora_weights": "pissa"}, None, "init_lora_weights is 'pissa' in adapter_config.json, which is"),
        ({"lora_bias": True}, None, "lora_bias is True"),
        ({}, _pickled, r"adapter_model.bin is a pickle, which can run code and is never opened\n  remedy"),
        ({}, _short, r"not a whole safetensors file"),
        ({"lora_alpha": "much"}, None, r"its update of \S+query does not fit"),
        ({"base_model_name_or_path": "x" * 5000}, None, r"an adapter of x{200}, which is not a folder"),
        ({"use_dora": True}, None, r"\(it has lora_A, lora_B and not lora_A, lora_B, lora_magnitude_vector\)"),
        ({"peft_type": "IA3"}, None, r"it has lora_A, lora_B and not ia3_l"),
        ({"alpha_pattern": {"layer.[01].*query": 2}}, None, r"alpha_pattern is .*, which is not built\n  remedy"),
        ({"alpha_pattern": ["query"]}, None, "alpha_pattern is"),
    ],
)  # fmt: skip
def test_what_cannot_be_merged_is_refused(
    config: dict[str, Any], change: Callable[[Path], None] | None, message: str, base: Path, tmp_path: Path
) -> None:
    folder = write(tmp_path / "lora", base, **config)
    if change is not None:
        change(folder)
    with pytest.raises(CheckpointError, match=message):
        find_checkpoint(str(folder))


def test_another_base_is_refused(base: Path, tmp_path: Path) -> None:
    narrow = save_bert(tmp_path / "narrow", hidden_size=16)
    shallow = save_bert(tmp_path / "shallow", num_hidden_layers=1)
    folder = write(tmp_path / "lora", base)
    for other, message in (
        (narrow, r"does not fit \S+ of \S+narrow, \[16, 16\]"),
        (shallow, "which .*shallow does not have"),
    ):
        with pytest.raises(CheckpointError, match=message):
            merge_adapter(folder, tmp_path / "made", other)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "base_sha256": "0"}))
    with pytest.raises(CheckpointError, match=r"an adapter of other weights than those in .*\n  remedy: its own base"):
        merge_adapter(folder, tmp_path / "made")


@pytest.mark.parametrize(
    ("rows", "rank", "columns", "lengths"), [(1, 2, 32, 0), (32, 2, 1, 0), (32, 0, 32, 0), (32, 2, 32, 1)]
)
def test_nothing_is_repeated_to_fit(
    rows: int, rank: int, columns: int, lengths: int, base: Path, tmp_path: Path
) -> None:
    """One row, one column or one length would fit any weight by broadcasting, and would be another model."""
    parts = {f"{QUERY}.lora_A.weight": torch.ones(rank, columns), f"{QUERY}.lora_B.weight": torch.ones(rows, rank)}
    if lengths:
        parts[f"{QUERY}.lora_magnitude_vector"] = torch.ones(lengths)
    folder = write(tmp_path / "lora", base, parts, use_dora=bool(lengths))
    with pytest.raises(CheckpointError, match=r"its update of \S+query does not fit"):
        find_checkpoint(str(folder))


def test_an_adapter_that_holds_nothing_is_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"it holds nothing\n  remedy"):
        find_checkpoint(str(write(tmp_path / "lora", base, {})))


@pytest.mark.parametrize("name", ["bert.embeddings.word_embeddings.lora_embedding_A", f"{QUERY}.lora_magnitude"])
def test_other_tensors_are_refused(name: str, base: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "lora", base, {name: torch.ones(2, 2)})
    with pytest.raises(CheckpointError, match="is no update of a linear map"):
        find_checkpoint(str(folder))


def test_the_command_merges_with_a_base_that_is_named(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = make_command(monkeypatch, capsys)
    folder = write(tmp_path / "lora", base, base_model_name_or_path="some/encoder")
    given = ("export", folder, "--to", "transformers", "--output", tmp_path / "merged")
    assert command(*given)[0] == 1
    status, out, err = command(*given, "--base", base)
    assert status == 0 and out.strip() == str(tmp_path / "merged"), err
    assert (tmp_path / "merged" / "tokenizer.json").is_file()
    assert import_checkpoint(str(tmp_path / "merged"), tmp_path / "made").task.labels == LABELS
