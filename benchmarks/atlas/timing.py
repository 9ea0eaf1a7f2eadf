"""Time and peak memory of one kind of attention at several lengths: one row, one thread, 12 heads of a width of 384.

    python -m benchmarks.atlas.timing longformer
    python -m benchmarks.atlas.timing routing --options '{"clusters": 4}' --lengths 128 256

prints a JSON list, a line for each length: tokens, milliseconds (best of some rounds), and the peak of the process's
resident memory above what it had before, in MB. A process measures one kind, from short to long, so that a peak is that
of its length. A length that needs more memory than `--memory` is told so, and ends the list, as does one that takes
longer than `--seconds`.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from leanformer.models.attention.bias import AttentionBias, Places
from leanformer.models.attention.kinds import attention
from leanformer.shapes.attention import KINDS
from leanformer.shapes.encoder import EncoderConfig, LayerShape

WIDTH, HEADS, LENGTHS = 384, 12, (128, 256, 512, 1024, 2048, 4096, 8192)
# Options that grow with the length in the paper, here with its square root.
GROWING = {"routing": "clusters", "strided": "stride"}


def options_at(kind: str, options: Mapping[str, Any], length: int) -> dict[str, Any]:
    """The options at a length."""
    name = GROWING.get(kind)
    return {**options, **({name: round(length**0.5)} if name and name not in options else {})}


def timed(
    kind: str, options: Mapping[str, Any], lengths: Sequence[int], *, width: int, heads: int, seconds: float
) -> list[dict[str, Any]]:
    """A line for each length, until one takes longer than `seconds` or has not enough memory."""
    found, before = list[dict[str, Any]](), _peak()
    for length in lengths:
        layer = LayerShape(heads, width, attention=KINDS[kind](**options_at(kind, options, length)))
        config = EncoderConfig(
            vocabulary=2, hidden=width, head_size=width // heads, layers=(layer,), positions=length, token_types=0,
            activation="gelu", norm_epsilon=1e-5, dropout=0.0, attention_dropout=0.0, padding_id=0, labels=2,
        )  # fmt: skip
        torch.manual_seed(0)
        mask = torch.ones(1, length, dtype=torch.bool)
        try:
            with torch.inference_mode():
                module, x = attention(config, layer).eval(), torch.randn(1, length, width)
                places = Places(AttentionBias(config), mask, x.dtype)
                rounds = list[float]()
                while len(rounds) < 2 or (len(rounds) < 10 and sum(rounds) < min(1.0, seconds)):
                    start = time.perf_counter()
                    module(x, places)
                    rounds.append(time.perf_counter() - start)
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "memory" not in str(error):
                raise
            found.append({"tokens": length, "ms": None, "why": "not enough memory"})
            break
        peak = None if before is None else round((_peak() or 0) / 1e6 - before / 1e6, 1)
        found.append({"tokens": length, "ms": round(1000 * min(rounds), 3), "peak_mb": peak})
        if min(rounds) > seconds:
            break
    return found


def _peak() -> int | None:
    """Peak resident set of this process in bytes; None where the system does not tell."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii", errors="replace").splitlines() if status.is_file() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=KINDS, metavar="KIND")
    parser.add_argument("--options", type=json.loads, default={}, help="of the kind, as JSON")
    parser.add_argument("--lengths", type=int, nargs="+", default=list(LENGTHS))
    parser.add_argument("--seconds", type=float, default=20.0, help="a length that takes longer is the last")
    parser.add_argument("--memory", type=float, default=8.0, metavar="GB", help="beyond what an empty process has")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + int(given.memory * 1e9), resource.RLIM_INFINITY))
    print(json.dumps(timed(given.kind, given.options, given.lengths, width=WIDTH, heads=HEADS, seconds=given.seconds)))


if __name__ == "__main__":
    main()
