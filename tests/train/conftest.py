"""Every step of a training says how far it is, as slow ones do: a tiny run is over before the first second."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leanformer.progress import Pace


@pytest.fixture(autouse=True, scope="module")
def every_step_speaks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pace, "due", lambda self: True)
        yield
