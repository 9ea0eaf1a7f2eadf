"""The cost of requests at a stated hourly price of the machine."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from leanformer.errors import LeanformerError

# 0.677 USD per hour for 16 virtual cores (Azure F16s v2): the price used in the tables of FastFormers (arXiv
# 2010.13382), kept as the default so that ladders can be compared with them.
DEFAULT_USD_PER_CORE_HOUR = 0.677 / 16


def price(usd_per_hour: float | None, threads: int) -> dict[str, Any]:
    """The hourly price of the cores used, and its basis."""
    if usd_per_hour is not None:
        return {"usd_per_hour": usd_per_hour, "basis": "given by the user"}
    return {
        "usd_per_hour": round(DEFAULT_USD_PER_CORE_HOUR * threads, 6),
        "basis": f"{threads} of 16 cores at 0.677 USD per hour (Azure F16s v2, the price used by FastFormers)",
    }


def usd_per_100m(throughput_per_second: float, usd_per_hour: float) -> float:
    """USD for 100 million texts at this throughput."""
    return 1e8 / throughput_per_second / 3600 * usd_per_hour


@dataclass(frozen=True)
class Price:
    """An hourly price of a machine with `cores` cores, and its source."""

    name: str
    usd_per_hour: float
    cores: int
    source: str

    def for_threads(self, threads: int) -> float:
        """USD per hour for `threads` of its cores; the machine is assumed to have at least as many."""
        return self.usd_per_hour * threads / max(self.cores, threads)


def read_prices(path: Path | None = None) -> tuple[Price, ...]:
    """The price table of a YAML file, or the shipped one. Raises `LeanformerError` if the file is not a price table."""
    import yaml

    path = Path(__file__).with_name("prices.yaml") if path is None else path
    try:
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LeanformerError(f"{path}: not a readable price table ({error})") from error
    if not isinstance(table, dict) or not table:
        raise LeanformerError(f"{path}: a price table maps names to {{usd_per_hour, cores, source}}")
    found = []
    for name, entry in table.items():
        try:
            price = Price(str(name), float(entry["usd_per_hour"]), int(entry["cores"]), str(entry.get("source", "")))
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise LeanformerError(f"{path}: {name}: needs usd_per_hour and cores, both numbers") from error
        if not (isfinite(price.usd_per_hour) and price.usd_per_hour >= 0 and price.cores > 0):
            raise LeanformerError(f"{path}: {name}: a price of 0 or more, and at least one core")
        found.append(price)
    return tuple(found)


def break_even_texts(spent_usd: float, before_usd_per_100m: float, after_usd_per_100m: float) -> float | None:
    """The number of texts after which the compression has paid for itself; None if the new model is not cheaper."""
    saved = (before_usd_per_100m - after_usd_per_100m) / 1e8
    return spent_usd / saved if saved > 0 else None
