"""Tensors are written as they are, and a disk that refuses them says so with the file's name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from leanformer.models.tensors import save_tensors


def test_what_is_written_can_be_read(tmp_path: Path):
    tensors = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1, -2], dtype=torch.int8)}
    save_tensors(tensors, tmp_path / "w.safetensors", {"format": "pt"})
    with safe_open(tmp_path / "w.safetensors", "pt") as file:  # type: ignore[no-untyped-call]
        assert set(file.keys()) == set(tensors) and file.metadata() == {"format": "pt"}
        assert all(torch.equal(file.get_tensor(name), tensors[name]) for name in tensors)
        assert file.get_tensor("b").dtype == torch.int8


def test_a_disk_that_refuses_says_why_and_where(tmp_path: Path):
    path = tmp_path / "missing" / "w.safetensors"
    with pytest.raises(FileNotFoundError) as caught:
        save_tensors({"a": torch.zeros(1)}, path)
    assert caught.value.filename == str(path)


def test_another_fault_keeps_its_own_error(tmp_path: Path):
    both = torch.zeros(4)
    with pytest.raises(RuntimeError, match="share memory"):
        save_tensors({"a": both, "b": both}, tmp_path / "w.safetensors")
