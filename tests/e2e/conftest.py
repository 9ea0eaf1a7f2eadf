"""A tiny teacher that has learnt the tiny task; made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leanformer.artifact import Artifact
from leanformer.measure import speed
from tests.making.taught import make_teacher


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return make_teacher(tmp_path_factory.mktemp("trained"))


@pytest.fixture(autouse=True, scope="session")
def no_rest_between_predictors() -> Iterator[None]:
    """Threads come to rest before timing so that figures are fair; here no figure is looked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speed, "_SETTLE_SECONDS", 0)
        yield
