"""Fine-tunings that are killed by what they say speak at every step, as those of `tests/train` do."""

from __future__ import annotations

from tests.train.conftest import every_step_speaks as every_step_speaks
