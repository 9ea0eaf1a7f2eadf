"""A fingerprint of the machine on which figures were measured."""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

_TOLD = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx_vnni",
    "amx_int8",
    "amx_bf16",
    "asimd",
    "asimddp",
    "i8mm",
)
_LIBRARIES = ("leanformer", "numpy", "onnxruntime", "openvino", "tokenizers", "torch", "transformers")


@cache
def _cpuinfo() -> dict[str, str]:
    """The first processor's fields of /proc/cpuinfo; empty if there is none."""
    fields: dict[str, str] = {}
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            fields.setdefault(name.strip(), value.strip())
    except OSError:
        pass
    return fields


def instruction_sets() -> list[str]:
    """The instruction sets of this CPU that matter for inference; empty if the system does not report them."""
    flags = _flags().split()
    return [name for name in _TOLD if name in flags]


def tells_instruction_sets() -> bool:
    """Whether the system reports its instruction sets."""
    return bool(_flags())


def _flags() -> str:
    return _cpuinfo().get("flags") or _cpuinfo().get("Features") or ""


def fingerprint(threads: int) -> dict[str, Any]:
    """CPU, instruction sets, cores, threads used, memory, system and library versions."""
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return {
        "cpu": _cpuinfo().get("model name") or platform.processor() or platform.machine(),
        "instruction_sets": instruction_sets(),
        "cores": os.cpu_count(),
        "threads": threads,
        "memory_bytes": memory,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
    }
