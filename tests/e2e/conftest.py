"""A tiny teacher that has learnt the tiny task; made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leanformer.artifact import Artifact
from leanformer.measure import speed
from leanformer.train.fine_tune import fine_tune
from leanformer.train.loop import FitSettings
from tests.tiny import tiny_artifact, tiny_dataset


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("trained")
    tiny_artifact(folder / "start")
    settings = FitSettings(epochs=6, batch_size=12, learning_rate=3e-3, precision="fp32")
    made = fine_tune(
        str(folder / "start"), tiny_dataset(), folder / "teacher", settings,
        max_tokens=32, work=folder / "work", device="cpu", say=lambda line: None,
    )  # fmt: skip
    assert max(made.history[-1]["result"]["dev_accuracy"]) > 0.8, "a teacher that knows nothing would prove nothing"
    return made


@pytest.fixture(autouse=True, scope="session")
def no_rest_between_predictors() -> Iterator[None]:
    """Threads come to rest before timing so that figures are fair; here no figure is looked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speed, "_SETTLE_SECONDS", 0)
        yield
