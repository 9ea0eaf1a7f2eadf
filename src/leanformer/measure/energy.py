"""Energy and carbon of a block of work, each figure marked measured, estimated or unavailable.

codecarbon (extra `energy`) does the metering offline; its telemetry is never called, and nothing is sent or written. On
a machine without readable energy counters, as most virtual machines are, it models power from load and an assumed
maximum. Such a figure reflects the processor's time and load and little else, so CPU-seconds are always reported with
it. Cooling, disks and the network are left out.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from leanformer.errors import LeanformerError, MissingExtraError
from leanformer.measure.speed import sample
from leanformer.predictor import Predictor
from leanformer.task import Text

MEASURED, ESTIMATED, UNAVAILABLE = "measured", "estimated", "unavailable"
# Below this, sampling and the start-up of codecarbon's model dominate an estimate.
LEAST_SECONDS = 60.0
_JOULES_PER_KWH = 3.6e6
_COUNTED = ("intel_rapl", "windows_emi", "intel_power_gadget", "apple_powermetrics")


@dataclass(frozen=True)
class Energy:
    """The energy, carbon and time of a block of work.

    Attributes:
        phase: "training" or "inference"; figures of the two are never added.
        status: of `energy_joules`: the weakest status of its parts.
        method: how each part was obtained, or why there is none.
        energy_joules: of processor, memory and GPU together. parts: each with {"joules", "status"}.
        carbon_grams: CO2-equivalent for the grid of `country` (ISO 3166 alpha-3); None if no country was given.
        cpu_seconds: of this process, all threads, and of its finished children: the figure to compare.
        wall_seconds: from start to end. texts: number of texts answered, for inference.
    """

    phase: str
    status: str
    method: str
    energy_joules: float | None
    parts: dict[str, dict[str, Any]]
    carbon_grams: float | None
    country: str | None
    cpu_seconds: float
    wall_seconds: float
    texts: int | None = None

    @property
    def joules_per_1000(self) -> float | None:
        """Joules for 1,000 texts; None without energy or without a number of texts."""
        return None if self.energy_joules is None or not self.texts else 1000 * self.energy_joules / self.texts


@dataclass(frozen=True)
class EnergySettings:
    """How energy is metered.

    Attributes:
        country: ISO 3166 alpha-3 code of the grid for which carbon is computed; None gives energy alone.
        seconds: how long each model answers texts; less than `LEAST_SECONDS` gives no figure.
    """

    country: str | None = None
    seconds: float = LEAST_SECONDS

    def __post_init__(self) -> None:
        """Raises `MissingExtraError` without codecarbon, `LeanformerError` for a country unknown to it."""
        try:
            from codecarbon.input import DataSource
        except ImportError as error:
            raise MissingExtraError("metering energy", "energy") from error
        if self.country is not None and self.country not in DataSource().get_global_energy_mix_data():
            raise LeanformerError(
                f"no carbon intensity is known for the country {self.country!r}\n"
                "  remedy: give its three-letter code (ISO 3166), such as DEU or FRA; without one there is energy alone"
            )


@dataclass
class Metered:
    """`energy` is set when the block ends; `seconds` is how long it has run."""

    started: float = field(default_factory=time.perf_counter)
    energy: Energy | None = None

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started


@contextmanager
def meter(
    phase: str,
    *,
    country: str | None = None,
    texts: int | None = None,
    least_seconds: float = LEAST_SECONDS,
    tracked: bool = True,
) -> Iterator[Metered]:
    """Meter the block; `energy` of the yielded object holds the result afterwards.

    With `tracked` False only time is measured, which costs nothing, and the energy is unavailable. It is also
    unavailable for a block shorter than `least_seconds`: repeat the work to get a figure. Metering never raises an
    error of its own; `method` says why there is no figure. Raises `ValueError` for an unknown `phase`.
    """
    if phase not in ("training", "inference"):
        raise ValueError(f"phase is 'training' or 'inference', not {phase!r}")
    tracker, reason = _start(country) if tracked else (None, "not asked for; --energy meters it")
    result, cpu = Metered(), _cpu_seconds()
    try:
        yield result
    finally:
        cpu, wall = _cpu_seconds() - cpu, result.seconds
        data = _stop(tracker)
        if data is not None and wall < least_seconds:
            reason, data = f"{wall:.1f} s are too short to meter; at least {least_seconds:g} are needed", None
        if data is None:
            result.energy = Energy(phase, UNAVAILABLE, reason, None, {}, None, country, cpu, wall, texts)
        else:
            parts, method = _parts(tracker, data)
            status = MEASURED if all(part["status"] == MEASURED for part in parts.values()) else ESTIMATED
            joules = sum(float(part["joules"]) for part in parts.values())
            carbon = None if country is None else float(data.emissions) * 1000
            result.energy = Energy(phase, status, method, joules, parts, carbon, country, cpu, wall, texts)


def _start(country: str | None) -> tuple[Any, str]:
    """A running tracker, or None and the reason."""
    # codecarbon's settings file or variables might name an endpoint or a cloud; arguments given here override both.
    logging.getLogger("codecarbon").disabled = True  # it sets its own level, and logs too much
    try:
        from codecarbon import OfflineEmissionsTracker
    except ImportError:
        return None, "codecarbon is not installed (pip install 'leanformer[energy]')"
    try:
        # An empty token, not None: with None it would look for an older variable.
        tracker = OfflineEmissionsTracker(
            country_iso_code=country or "USA", output_methods=[], log_level="error", allow_multiple_runs=True,
            measure_power_secs=1, tracking_mode="process",
            region=None, cloud_provider=None, cloud_region=None, electricitymaps_api_token="", pue=1.0,
        )  # fmt: skip
        tracker.start()
    except Exception as error:  # a failure to read this machine must not end the work
        return None, f"codecarbon could not start ({type(error).__name__}: {error})"
    return tracker, "codecarbon gave no figures"


def _stop(tracker: Any) -> Any:
    if tracker is None:
        return None
    try:
        tracker.stop()
        return tracker.final_emissions_data
    except Exception:
        return None


def _parts(tracker: Any, data: Any) -> tuple[dict[str, dict[str, Any]], str]:
    """Joules and status of processor, memory and GPU, and a sentence on how each was obtained."""
    cpu = next((device for device in tracker._hardware if type(device).__name__ in ("CPU", "AppleSiliconChip")), None)
    mode = getattr(cpu, "_mode", None) or "no processor found"
    counted = mode in _COUNTED
    watts = getattr(cpu, "_tdp", None)
    said = [
        f"processor: its energy counter ({mode}), the whole package" if counted
        else f"processor: modelled from this process's load ({mode}) and an assumed maximum of {watts} W"
    ]  # fmt: skip
    parts = {
        "cpu": {"joules": data.cpu_energy * _JOULES_PER_KWH, "status": MEASURED if counted else ESTIMATED},
        "ram": {"joules": data.ram_energy * _JOULES_PER_KWH, "status": ESTIMATED},
    }
    said.append(f"memory: assumed {data.ram_power:g} W")
    if data.gpu_count:
        parts["gpu"] = {"joules": data.gpu_energy * _JOULES_PER_KWH, "status": MEASURED}
        said.append("GPU: its own energy counter, the whole device")
    return parts, f"codecarbon {data.codecarbon_version}; " + "; ".join(said)


def _cpu_seconds() -> float:
    """CPU seconds of this process, all threads, and its finished children."""
    times = os.times()
    # This process is timed with the finer clock; the children's time is in ticks of 10 ms.
    return time.process_time() + times.children_user + times.children_system


def meter_inference(
    predictor: Predictor,
    texts: Sequence[Text],
    settings: EnergySettings,
    *,
    seconds: float = 8.0,
    seed: int = 13,
    least_seconds: float = LEAST_SECONDS,
) -> Energy:
    """Meter inference on `texts`, in the same order for all models, repeated for `settings.seconds`; with tokenizer.

    Args:
        seconds: a predictor too slow for all texts in this time gets a sample of them, as for throughput.
        least_seconds: below this there is no figure.
    """
    order = np.random.default_rng(seed).permutation(len(texts))
    shown = sample(predictor, [texts[i] for i in order], seconds)
    answered = 0
    with meter("inference", country=settings.country, least_seconds=least_seconds) as block:
        while block.seconds < settings.seconds:
            predictor.infer(predictor.tokenize(shown))
            answered += len(shown)
    assert block.energy is not None
    return replace(block.energy, texts=answered)
