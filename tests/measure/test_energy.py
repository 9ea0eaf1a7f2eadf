"""Energy: marked for what it is, without the network, and never in the way of the work."""

from __future__ import annotations

import socket
import sys
import time
from types import SimpleNamespace

import pytest

from leanformer.errors import LeanformerError, MissingExtraError
from leanformer.measure.energy import ESTIMATED, MEASURED, UNAVAILABLE, Energy, EnergySettings, Metered, _parts, meter


def busy(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def metered(block: Metered) -> Energy:
    assert block.energy is not None
    return block.energy


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Refuses every connection and every look-up of a name, and notes the attempts."""
    attempts: list[object] = []

    def refuse(self: socket.socket, address: object) -> None:
        attempts.append(address)
        raise OSError("no network in this test")

    def unknown(host: object, *rest: object, **named: object) -> None:
        attempts.append(host)
        raise socket.gaierror("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    return attempts


@pytest.mark.slow
def test_a_figure_says_how_it_was_come_by(no_network: list[object]):
    pytest.importorskip("codecarbon")
    with meter("inference", country="DEU", texts=500, least_seconds=0) as block:
        busy(1.2)
    found = metered(block)
    assert no_network == [], "nothing may be sent, nothing asked for"
    assert found.status in (MEASURED, ESTIMATED)
    assert found.energy_joules is not None and found.energy_joules > 0
    assert found.energy_joules == pytest.approx(sum(part["joules"] for part in found.parts.values()))
    assert found.carbon_grams is not None and found.carbon_grams > 0
    assert found.joules_per_1000 == pytest.approx(2 * found.energy_joules)
    assert found.parts["ram"]["status"] == ESTIMATED
    assert found.status == ESTIMATED, "one part that is assumed makes the sum an estimate"
    assert "codecarbon" in found.method and " W" in found.method
    assert found.cpu_seconds >= 1.2


def test_without_a_country_there_is_energy_and_no_carbon():
    pytest.importorskip("codecarbon")
    with meter("training", least_seconds=0) as block:
        busy(0.5)
    found = metered(block)
    assert found.energy_joules is not None and found.carbon_grams is None
    assert found.joules_per_1000 is None, "training answers no texts"


def test_a_short_run_has_no_figure_but_its_cpu_seconds():
    with meter("inference", country="DEU", texts=5) as block:
        busy(0.2)
    found = metered(block)
    assert (found.status, found.energy_joules, found.carbon_grams) == (UNAVAILABLE, None, None)
    assert found.cpu_seconds >= 0.2


def test_without_codecarbon_the_work_goes_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    with meter("training", least_seconds=0) as block:
        busy(0.1)
    assert metered(block).status == UNAVAILABLE
    assert "leanformer[energy]" in metered(block).method


def test_an_error_of_the_work_is_not_swallowed():
    with pytest.raises(RuntimeError, match="mine"), meter("training", least_seconds=0):
        raise RuntimeError("mine")
    with pytest.raises(ValueError, match="phase"), meter("lunch"):
        pass


class CPU:
    """As codecarbon's, so far as it is read."""

    def __init__(self, mode: str) -> None:
        self._mode, self._tdp = mode, 120


@pytest.mark.parametrize(
    ("mode", "gpus", "statuses"),
    [
        ("intel_rapl", 0, {"cpu": MEASURED, "ram": ESTIMATED}),
        ("cpu_load", 0, {"cpu": ESTIMATED, "ram": ESTIMATED}),
        ("cpu_load", 1, {"cpu": ESTIMATED, "ram": ESTIMATED, "gpu": MEASURED}),
    ],
)
def test_each_part_is_marked_by_how_it_was_come_by(mode: str, gpus: int, statuses: dict[str, str]):
    """With a counter (RAPL, NVML) a part is measured; memory never is, for codecarbon takes a constant."""
    tracker = SimpleNamespace(_hardware=[CPU(mode)])
    data = SimpleNamespace(
        cpu_energy=1e-6, ram_energy=2e-6, gpu_energy=3e-6, ram_power=10.0, gpu_count=gpus, codecarbon_version="3.3"
    )
    parts, method = _parts(tracker, data)
    assert {name: part["status"] for name, part in parts.items()} == statuses
    assert parts["cpu"]["joules"] == pytest.approx(3.6) and parts["ram"]["joules"] == pytest.approx(7.2)
    assert ("120 W" in method) is (mode == "cpu_load") and ("GPU: its own energy counter" in method) is bool(gpus)


@pytest.mark.parametrize("token", ["ELECTRICITYMAPS_API_TOKEN", "CO2_SIGNAL_API_TOKEN"])
def test_settings_of_ones_own_name_no_service(token: str, no_network: list[object], monkeypatch: pytest.MonkeyPatch):
    """Variables of the environment that would make codecarbon ask or send are overruled."""
    pytest.importorskip("codecarbon")
    for name, value in (("SAVE_TO_API", "true"), ("CLOUD_PROVIDER", "aws"), ("API_KEY", "x"), (token, "x")):
        monkeypatch.setenv(f"CODECARBON_{name}", value)
    with meter("inference", country="FRA", least_seconds=0) as block:
        busy(0.3)
    assert metered(block).status in (MEASURED, ESTIMATED) and no_network == []


def test_a_country_that_is_not_known_is_said_before_the_work():
    pytest.importorskip("codecarbon")
    assert EnergySettings("DEU").country == "DEU" and EnergySettings().seconds >= 60
    with pytest.raises(LeanformerError, match=r"'XYZ'[^$]*DEU"):
        EnergySettings("XYZ")


def test_settings_without_codecarbon_name_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "codecarbon.input", None)
    with pytest.raises(MissingExtraError, match="energy"):
        EnergySettings()


def test_an_error_leaves_what_was_spent():
    def fail() -> None:
        busy(0.1)
        raise RuntimeError

    with pytest.raises(RuntimeError), meter("training", tracked=False) as block:
        fail()
    assert metered(block).cpu_seconds >= 0.1 and "--energy" in metered(block).method
