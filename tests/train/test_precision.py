"""Which arithmetic training takes: what is asked for, or what the CPU has instructions for."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from leanformer.train.precision import autocast, resolve

CPU = torch.device("cpu")


def cpu_with(monkeypatch: pytest.MonkeyPatch, *, capability: str, bf16: bool = False, amx: bool = False) -> str:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    return resolve("auto", CPU)


def test_what_is_asked_for_is_taken():
    assert [resolve(choice, CPU) for choice in ("fp32", "bf16")] == ["fp32", "bf16"]
    with pytest.raises(ValueError, match="unknown precision 'fp8'; one of "):
        resolve("fp8", CPU)


def test_bf16_where_the_cpu_has_instructions_for_it(monkeypatch: pytest.MonkeyPatch):
    assert cpu_with(monkeypatch, capability="AVX512", bf16=True) == "bf16"
    assert cpu_with(monkeypatch, capability="AVX512", amx=True) == "bf16"
    assert cpu_with(monkeypatch, capability="AVX512") == "fp32"
    assert cpu_with(monkeypatch, capability="AVX2") == "fp32"


def test_fp32_where_pytorch_leaves_them_alone(monkeypatch: pytest.MonkeyPatch):
    assert cpu_with(monkeypatch, capability="AVX2", bf16=True, amx=True) == "fp32"


def test_pytorch_tells_that_it_is_held_back():
    """The name of the variable and of the capability are PyTorch's: this process says what a new one makes of them."""
    asked = "import torch; from leanformer.train.precision import resolve; print(resolve('auto', torch.device('cpu')))"
    environment = os.environ | {"ATEN_CPU_CAPABILITY": "default"}
    done = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "fp32"


def test_autocast_concerns_forward_passes_alone():
    weight = torch.ones(2, 2, requires_grad=True)
    with autocast("bf16", CPU):
        made = weight @ weight
    assert made.dtype == torch.bfloat16 and weight.dtype == torch.float32
    with autocast("fp32", CPU):
        assert (weight @ weight).dtype == torch.float32
