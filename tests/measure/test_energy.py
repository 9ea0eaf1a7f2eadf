"""Energy: marked for what it is, without the network, and never in the way of the work."""

from __future__ import annotations

import socket
import sys
import time

import pytest

from leanformer.measure.energy import ESTIMATED, MEASURED, UNAVAILABLE, Energy, Metered, meter


def busy(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def metered(block: Metered) -> Energy:
    assert block.energy is not None
    return block.energy


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Refuses every connection, and notes the attempts."""
    attempts: list[object] = []

    def refuse(self: socket.socket, address: object) -> None:
        attempts.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return attempts


def test_a_figure_says_how_it_was_come_by(no_network: list[object]):
    pytest.importorskip("codecarbon")
    with meter("inference", country="DEU", texts=500, least_seconds=0) as block:
        busy(1.2)
    found = metered(block)
    assert no_network == [], "nothing may be sent, nothing asked for"
    assert found.status in (MEASURED, ESTIMATED)
    assert found.energy_joules is not None and found.energy_joules > 0
    assert found.energy_joules == pytest.approx(sum(one["joules"] for one in found.parts.values()))
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
