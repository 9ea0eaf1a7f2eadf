"""What a power cut, a full disk or a bad block does to a file."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path


def cut(share: float) -> Callable[[Path], None]:
    """Leave so large a part of a file, and at least one byte less than there was."""

    def damage(path: Path) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: min(int(len(content) * share), len(content) - 1)])

    return damage


def flip(seed: int, bits: int = 1) -> Callable[[Path], None]:
    """Turn so many bits over."""

    def damage(path: Path) -> None:
        content, draw = bytearray(path.read_bytes()), random.Random(seed)
        for place in draw.sample(range(8 * len(content)), bits):
            content[place // 8] ^= 1 << place % 8
        path.write_bytes(content)

    return damage


def garbage(path: Path) -> None:
    path.write_bytes(random.Random(path.name).randbytes(path.stat().st_size))


def zeros(path: Path) -> None:
    """As after a power cut: the length was on the disk already, the content not."""
    path.write_bytes(bytes(path.stat().st_size))


DAMAGES: dict[str, Callable[[Path], None]] = {
    "emptied": cut(0), "one byte": lambda path: path.write_bytes(path.read_bytes()[:1]), "a third": cut(0.34),
    "nine tenths": cut(0.9), "all but a byte": cut(1), "a bit": flip(1), "another bit": flip(2), "bits": flip(3, 7),
    "garbage": garbage, "zeros": zeros, "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0" * 9),
}  # fmt: skip
"""By name; each changes what a file holds that is not empty."""
