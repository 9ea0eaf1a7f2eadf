"""What the tests of opening data share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leanformer.data.dataset import open_dataset
from leanformer.errors import DataError

Write = Callable[..., Path]
TRAIN = (("good", "yes"), ("bad", "no"), ("fine", "yes"), ("poor", "no"))


def refusal(source: Path, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        open_dataset(str(source), **options)
    assert caught.value.remedy
    return str(caught.value)
