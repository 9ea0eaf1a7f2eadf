"""The arithmetic of training: bf16 autocast where the hardware benefits from it, fp32 elsewhere."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from leanformer.train.fit_options import PRECISIONS

# What PyTorch calls the instructions that it uses where it has no AVX-512 or must not use it.
NARROW = ("DEFAULT", "NO AVX", "AVX2")


def resolve(choice: str, device: torch.device) -> str:
    """ "fp32" or "bf16" for one of `PRECISIONS`. Raises `ValueError` for anything else.

    On a CPU without bf16 instructions (AVX-512 BF16 or AMX) bf16 is emulated and slower than fp32, so "auto" selects
    fp32 there, as it does where PyTorch is told to leave AVX-512 alone (ATEN_CPU_CAPABILITY).
    """
    if choice not in PRECISIONS:
        raise ValueError(f"unknown precision {choice!r}; one of {', '.join(PRECISIONS)}")
    if choice != "auto":
        return choice
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    if torch.backends.cpu.get_cpu_capability() in NARROW:
        return "fp32"
    return "bf16" if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported() else "fp32"


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """The context for forward passes; weights, gradients and the optimiser stay in fp32."""
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()
