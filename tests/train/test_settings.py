"""Settings of a run as they are recorded: all by name, further parts only where there are any."""

from __future__ import annotations

from dataclasses import fields

from leanformer.train.settings import FitSettings


def test_all_settings_are_recorded_and_parts_only_where_there_are_any():
    plain = FitSettings(epochs=2).to_json()
    assert set(plain) == {field.name for field in fields(FitSettings)} - {"parts"} and plain["epochs"] == 2
    assert FitSettings(epochs=2, parts=(("averaging", 0.9),)).to_json() == plain | {"parts": [["averaging", 0.9]]}
