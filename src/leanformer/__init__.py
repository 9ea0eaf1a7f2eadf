"""Leanformer compresses a fine-tuned Transformer and measures what every step gains and costs.

The public names are imported on first use: `import leanformer` takes milliseconds, and `leanformer.load` does not need
PyTorch for a compressed model.
"""

from __future__ import annotations

import os
from importlib import import_module

TYPE_CHECKING = False  # importing `typing` would take most of the time of `import leanformer`

__version__ = "0.1.0"

# Nothing is sent or written unless the user asks for it. Each of these libraries reads its variable when it is
# imported, in whatever process, and that process has imported this package before.
for _switch, _off in {
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime: a device id and an event database in the home folder, and an upload
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",  # huggingface_hub, datasets, transformers
}.items():
    os.environ.setdefault(_switch, _off)

_NAMES = {
    "load": "leanformer.loading",
    "fine_tune": "leanformer.finetune.fine_tune",
    "open_dataset": "leanformer.data.dataset",
    "open_artifact": "leanformer.artifact",
    "find_recipe": "leanformer.recipe.library",
    "Artifact": "leanformer.artifact",
    "Compressed": "leanformer.recipe.delivery",
    "Dataset": "leanformer.data.dataset",
    "Examples": "leanformer.data.examples",
    "FitSettings": "leanformer.train.settings",
    "LeanformerError": "leanformer.errors",
    "Prediction": "leanformer.answers.prediction",
    "Recipe": "leanformer.recipe.spec",
    "Report": "leanformer.report",
    "SpeedSettings": "leanformer.measure.speed",
    "Task": "leanformer.task",
}
# These two are functions and also packages: importing `leanformer.train.loop` makes `leanformer.train` the package. So
# the packages themselves are callable.
_CALLED = {"compress": "leanformer.recipe.compress", "train": "leanformer.recipe.train"}
__all__ = [
    "Artifact", "Compressed", "Dataset", "Examples", "FitSettings", "LeanformerError", "Prediction", "Recipe",
    "Report", "SpeedSettings", "Task", "compress", "find_recipe", "fine_tune", "load", "open_artifact", "open_dataset",
    "train",
]  # fmt: skip


class _CallablePackage(type(os)):  # type: ignore[misc]
    """A package that can be called as the public function of the same name."""

    @property
    def function(self) -> Any:
        """The public function."""
        name = self.__name__.rpartition(".")[2]
        return getattr(import_module(_CALLED[name]), name)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self.function(*arguments, **options)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled like a function, by name."""
        return import_module, (self.__name__,)

    @property
    def __signature__(self) -> Any:
        from inspect import signature

        return signature(self.function)


for _name in _CALLED:
    import_module(f"leanformer.{_name}").__class__ = _CallablePackage

if TYPE_CHECKING:
    from typing import Any

    from leanformer.answers.prediction import Prediction
    from leanformer.artifact import Artifact, open_artifact
    from leanformer.data.dataset import Dataset, open_dataset
    from leanformer.data.examples import Examples
    from leanformer.errors import LeanformerError
    from leanformer.finetune.fine_tune import fine_tune
    from leanformer.loading import load
    from leanformer.measure.speed import SpeedSettings
    from leanformer.recipe.compress import compress
    from leanformer.recipe.delivery import Compressed
    from leanformer.recipe.library import find_recipe
    from leanformer.recipe.spec import Recipe
    from leanformer.recipe.train import train
    from leanformer.report import Report
    from leanformer.task import Task
    from leanformer.train.settings import FitSettings


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'leanformer' has no attribute {name!r}")
    value = getattr(import_module(_NAMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
