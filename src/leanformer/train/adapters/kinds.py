"""Adapters by name."""

from __future__ import annotations

from collections.abc import Callable

from leanformer.errors import LeanformerError
from leanformer.train.adapters.adapter import Adapter
from leanformer.train.adapters.bitfit import BitFit

ADAPTERS: dict[str, Callable[[], Adapter]] = {
    "bitfit": BitFit,
}


def adapter(name: str) -> Adapter:
    """The adapter of this name. Raises `LeanformerError` for an unknown name."""
    if not isinstance(name, str) or name not in ADAPTERS:
        raise LeanformerError(f"adapter is one of {', '.join(ADAPTERS)}, not {name!r}")
    return ADAPTERS[name]()
