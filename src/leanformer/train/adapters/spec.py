"""What an adapter is asked for by: its name and, after a colon, settings that differ from its own.

`lora`, `lora:rank=16,alpha=32`, `dora:on=query+key+value+output`, `ia3:rate=0.001`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from leanformer.errors import LeanformerError

MAPS = ("query", "key", "value", "output", "gate", "up", "down")
"""The linear maps of a layer: of attention, and of the feed-forward block (`gate` in some families only)."""

_RATE = 5e-4
# Settings of each kind. Rates are peaks of the learning rate: the upper end of BitFit's 1e-4 to 1e-3 (Ben Zaken et al.
# 2022); for LoRA 5e-4, with rank 8 and alpha 16 on query and value, as in the paper's code for RoBERTa-base on MNLI (Hu
# et al. 2022); for DoRA that of LoRA; for (IA)3 the paper's 3e-3, there of T5 with Adafactor (Liu et al. 2022).
_KINDS: dict[str, dict[str, float | int | tuple[str, ...]]] = {
    "bitfit": {"rate": 1e-3},
    "lora": {"rank": 8, "alpha": 16.0, "on": ("query", "value"), "rate": _RATE},
    "dora": {"rank": 8, "alpha": 16.0, "on": ("query", "value"), "rate": _RATE},
    "ia3": {"on": ("key", "value", "down"), "rate": 3e-3},
}
NAMES = tuple(_KINDS)


@dataclass(frozen=True)
class AdapterSpec:
    """An adapter and its settings.

    Attributes:
        name: one of `NAMES`. rate: its peak learning rate, the literature's unless `own_rate`.
        rank, alpha: of the low-rank update, which is multiplied by alpha / rank. on: the maps that it changes.
    """

    name: str
    rate: float
    rank: int = 0
    alpha: float = 0.0
    on: tuple[str, ...] = ()
    own_rate: bool = False


def read_spec(value: object) -> AdapterSpec:
    """The adapter that `value` asks for. Raises `LeanformerError` for anything else than a name and its settings."""
    name, _, rest = value.partition(":") if isinstance(value, str) else ("", "", "")
    if name not in _KINDS:
        raise LeanformerError(
            f"adapter is one of {', '.join(NAMES)}, not {value!r}\n"
            "  remedy: a name, with settings if need be, such as lora or lora:rank=16,alpha=32,on=query+key+value"
        )
    known, given = _KINDS[name], dict[str, float | int | tuple[str, ...]]()
    for part in filter(None, rest.split(",")):
        key, _, text = part.partition("=")
        if key not in known:
            raise LeanformerError(f"adapter {name} has no setting {key!r}\n  remedy: one of {', '.join(known)}")
        given[key] = _value(name, key, text)
    settings = {**known, **given}
    if "rank" in given and "alpha" not in given:
        settings["alpha"] = 2.0 * settings["rank"]  # type: ignore[operator]  # the strength stays that of the default
    return AdapterSpec(name, own_rate="rate" in given, **settings)  # type: ignore[arg-type]


def _value(name: str, key: str, text: str) -> float | int | tuple[str, ...]:
    if key == "on":
        maps = tuple(text.split("+"))
        if not set(maps) <= set(MAPS):
            raise LeanformerError(
                f"adapter {name}: on={text}: no maps of a layer\n  remedy: some of {', '.join(MAPS)}, joined by +"
            )
        return maps
    try:
        number = int(text) if key == "rank" else float(text)
    except ValueError:
        number = 0
    if not (number > 0 and math.isfinite(number)):
        what = "a whole number of at least 1" if key == "rank" else "a number above 0"
        raise LeanformerError(f"adapter {name}: {key} is {what}, not {text!r}\n  remedy: {key}={_KINDS[name][key]}")
    return number
