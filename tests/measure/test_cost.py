"""Prices of machines and of texts, and after how many texts a compression has paid for itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanformer.errors import LeanformerError
from leanformer.measure.cost import Price, break_even_texts, price, read_prices, usd_per_100m


def test_texts_cost_what_the_machine_costs_while_it_answers_them():
    assert usd_per_100m(1000, 3.6) == pytest.approx(100.0), "100,000 s at 0.001 USD a second"
    assert break_even_texts(5.0, before_usd_per_100m=100.0, after_usd_per_100m=50.0) == pytest.approx(10_000_000)
    assert break_even_texts(5.0, 50.0, 50.0) is None and break_even_texts(5.0, 50.0, 60.0) is None


def test_the_price_is_the_users_or_that_of_the_cores_used():
    assert price(2.5, threads=4) == {"usd_per_hour": 2.5, "basis": "given by the user"}
    assert price(0.0, threads=4)["basis"] == "given by the user", "a machine may be free"
    usual = price(None, threads=4)
    assert usual["usd_per_hour"] == pytest.approx(0.677 / 4) and usual["basis"].startswith("4 of 16 cores at 0.677 USD")


def test_some_of_a_machines_cores_cost_their_share():
    machine = Price("m", 1.6, 16, "")
    assert machine.for_threads(4) == pytest.approx(0.4) and machine.for_threads(16) == 1.6
    assert machine.for_threads(32) == 1.6, "never more than the whole machine"


def test_a_table_of_prices_is_read(tmp_path: Path):
    assert read_prices() and all(entry.source for entry in read_prices())
    (tmp_path / "p.yaml").write_text("a: {usd_per_hour: 0, cores: 2}\nb: {usd_per_hour: 1.5, cores: 4, source: here}\n")
    assert read_prices(tmp_path / "p.yaml") == (Price("a", 0.0, 2, ""), Price("b", 1.5, 4, "here"))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[]", "maps names to"),
        ("{}", "maps names to"),
        ("a: {usd_per_hour: 1}", "a: needs usd_per_hour and cores"),
        ("a: {usd_per_hour: much, cores: 1}", "a: needs usd_per_hour and cores"),
        ("a: 3", "a: needs usd_per_hour and cores"),
        ("a: {usd_per_hour: -1, cores: 1}", "a: a price of 0 or more"),
        ("a: {usd_per_hour: .nan, cores: 1}", "a: a price of 0 or more"),
        ("a: {usd_per_hour: 1, cores: 0}", "at least one core"),
        ("a: [", "not a readable price table"),
    ],
)
def test_what_is_no_table_of_prices_is_refused(table: str, said: str, tmp_path: Path):
    (tmp_path / "p.yaml").write_text(table)
    with pytest.raises(LeanformerError, match=said) as caught:
        read_prices(tmp_path / "p.yaml")
    assert str(tmp_path / "p.yaml") in str(caught.value)
