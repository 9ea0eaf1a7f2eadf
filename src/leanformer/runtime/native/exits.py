"""Early exits for the native engine: heads in 8 bits, the rules by which texts leave, and how many did."""

from __future__ import annotations

import ctypes
import threading

import numpy as np

from leanformer.exits import Exits
from leanformer.runtime.native.reader import Reader, UnsupportedGraphError

NEVER = 2.0
"""A threshold that no probability reaches."""


class RuleStruct(ctypes.Structure):
    """As in encoder.h."""

    _fields_ = [("temperature", ctypes.c_double), ("threshold", ctypes.c_double)]


class Leaving:
    """The rules of calibrated exits, and a count of the texts that left at each.

    Attributes:
        exits: calibrated.
        answered: number of texts that each exit answered, and, last, the model's own head.
    """

    def __init__(self, exits: Exits) -> None:
        if not exits.calibrated:
            raise ValueError("early exits without thresholds cannot be asked")
        self.exits = exits
        self.answered = [0] * (len(exits.layers) + 1)
        self.rules = (RuleStruct * len(exits.layers))(
            *(
                RuleStruct(temperature, NEVER if threshold is None else threshold)
                for temperature, threshold in zip(exits.temperatures, exits.thresholds, strict=True)
            )
        )
        self._lock = threading.Lock()

    def count(self, left_at: np.ndarray) -> None:
        """Add the exits `[texts]`, int32, at which the texts of a call left."""
        found = np.bincount(left_at, minlength=len(self.answered)).tolist()
        with self._lock:
            self.answered = [before + now for before, now in zip(self.answered, found, strict=True)]


def add_heads(r: Reader, exits: Exits, hidden: int, labels: int, layers: int) -> None:
    """Append the heads' maps to the reader's arrays, in int8 with a scale per column, as `export.quantise` makes them.

    Raises `UnsupportedGraphError` for heads of another model.
    """
    if exits.layers[-1] >= layers or exits.heads[0].classifier.shape != (hidden, labels):
        raise UnsupportedGraphError(
            f"its early exits are for {exits.layers[-1]} layers and heads {list(exits.heads[0].classifier.shape)}"
        )
    for head in exits.heads:
        for weight, bias in ((head.dense, head.dense_bias), (head.classifier, head.bias)):
            scales = (np.maximum(np.abs(weight).max(axis=0), 1e-12) / 127).astype(np.float32)
            rows = np.clip(np.rint(weight / scales), -127, 127).astype(np.int8)
            r.arrays += [r.filled(r.filled(rows, 0), 1), r.filled(scales, 0), r.filled(bias.astype(np.float32), 0)]
