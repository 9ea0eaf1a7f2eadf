"""Adapters by name."""

from __future__ import annotations

from collections.abc import Callable

from leanformer.train.adapters.adapter import Adapter
from leanformer.train.adapters.bitfit import BitFit
from leanformer.train.adapters.ia3 import Ia3
from leanformer.train.adapters.lora import Lora
from leanformer.train.adapters.spec import AdapterSpec, read_spec

ADAPTERS: dict[str, Callable[[AdapterSpec], Adapter]] = {
    "bitfit": lambda spec: BitFit(),
    "lora": lambda spec: Lora(spec.rank, spec.alpha, spec.on),
    "dora": lambda spec: Lora(spec.rank, spec.alpha, spec.on, directions=True),
    "ia3": lambda spec: Ia3(spec.on),
}


def adapter(value: str) -> Adapter:
    """The adapter that `value` asks for, see `spec.read_spec`, which it raises as."""
    spec = read_spec(value)
    return ADAPTERS[spec.name](spec)
