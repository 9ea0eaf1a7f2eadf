"""The machine's own limit, measured."""

from __future__ import annotations

from leanformer.measure.machine_peak import measure_peak


def test_the_peak_is_a_positive_rate():
    found = measure_peak(size=64, repeats=2)
    assert found.flops_per_second > 0 and "64 x 64" in found.method
