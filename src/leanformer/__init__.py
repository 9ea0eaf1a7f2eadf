"""Leanformer: a fine-tuned Transformer in, the leanest model that still does the task out, with the proof.

The names below are imported when they are first used, so that `import leanformer` costs next to nothing and
`leanformer.load` needs no torch.
"""

from __future__ import annotations

import os
from importlib import import_module

TYPE_CHECKING = False  # `typing` would be most of what `import leanformer` takes

__version__ = "0.1.0"

# Nothing is sent or written unless the user asks for it. Each of these libraries reads its switch when it is imported,
# in whichever process that is, and that process has imported this package before.
for _switch, _off in {
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime: a device id and an event database in the home folder, and an upload
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",  # huggingface_hub, datasets, transformers
}.items():
    os.environ.setdefault(_switch, _off)

_NAMES = {
    "load": "leanformer.loading",
    "compress": "leanformer.recipe.compress",
    "fine_tune": "leanformer.finetune.fine_tune",
    "open_dataset": "leanformer.data.dataset",
    "open_artifact": "leanformer.artifact",
    "find_recipe": "leanformer.recipe.find",
    "Artifact": "leanformer.artifact",
    "Dataset": "leanformer.data.dataset",
    "Examples": "leanformer.data.examples",
    "Recipe": "leanformer.recipe.spec",
    "Report": "leanformer.report",
    "Task": "leanformer.task",
}
__all__ = [
    "Artifact", "Dataset", "Examples", "Recipe", "Report", "Task", "compress", "find_recipe", "fine_tune", "load",
    "open_artifact", "open_dataset",
]  # fmt: skip

if TYPE_CHECKING:
    from typing import Any

    from leanformer.artifact import Artifact, open_artifact
    from leanformer.data.dataset import Dataset, open_dataset
    from leanformer.data.examples import Examples
    from leanformer.finetune.fine_tune import fine_tune
    from leanformer.loading import load
    from leanformer.recipe.compress import compress
    from leanformer.recipe.find import find_recipe
    from leanformer.recipe.spec import Recipe
    from leanformer.report import Report
    from leanformer.task import Task


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'leanformer' has no attribute {name!r}")
    value = getattr(import_module(_NAMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
