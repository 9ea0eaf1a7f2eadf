"""Training dynamics: the probability of each row's label, and the error of the whole answer, after every epoch.

Swayamdipta et al. 2020 (arXiv 2009.10795) record them inside the training steps, under dropout and with weights that
move from batch to batch. Here all rows are scored with the same weights, in eval mode, at the end of each epoch, which
costs a forward pass over the rows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from leanformer.train.hooks.hook import Hook, HookState, Run


class Dynamics(Hook):
    """Records what the model says of each row after every epoch.

    Args:
        probabilities: of all classes, `[n, classes]`, by the model as it is when this is called.
        labels: the class of each row, `[n]`.
    """

    name = "dynamics"

    def __init__(self, probabilities: Callable[[], np.ndarray], labels: np.ndarray) -> None:
        self._probabilities, self._labels = probabilities, np.asarray(labels)
        self._gold: list[np.ndarray] = []
        self._errors: list[np.ndarray] = []
        self._right: list[np.ndarray] = []

    @property
    def gold(self) -> np.ndarray:
        """The probability of the row's label, `[epochs, n]`."""
        return self._stacked(self._gold)

    @property
    def errors(self) -> np.ndarray:
        """The Euclidean distance of the probabilities from the label's one-hot vector, `[epochs, n]`."""
        return self._stacked(self._errors)

    @property
    def right(self) -> np.ndarray:
        """Whether the likeliest class is the label, bool `[epochs, n]`."""
        return self._stacked(self._right).astype(bool)

    def after_epoch(self, run: Run) -> None:
        found, rows = self._probabilities(), np.arange(len(self._labels))
        self._gold.append(found[rows, self._labels])
        self._right.append(found.argmax(axis=1) == self._labels)
        distance = found.copy()
        distance[rows, self._labels] -= 1
        self._errors.append(np.linalg.norm(distance, axis=1))

    def state(self) -> HookState:
        arrays = {"gold": self.gold, "errors": self.errors, "right": self.right.astype(np.uint8)}
        return HookState({name: torch.from_numpy(values) for name, values in arrays.items()}, {})

    def load_state(self, state: HookState) -> None:
        self._gold, self._errors = (list(state.tensors[name].numpy()) for name in ("gold", "errors"))
        self._right = list(state.tensors["right"].numpy().astype(bool))

    def _stacked(self, epochs: list[np.ndarray]) -> np.ndarray:
        return np.stack(epochs) if epochs else np.zeros((0, len(self._labels)))
