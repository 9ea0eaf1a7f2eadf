"""How unsure a model is of its answer for each text, from probabilities `[n, classes]`; larger is less sure."""

from __future__ import annotations

import numpy as np


def margin(probabilities: np.ndarray) -> np.ndarray:
    """1 minus the difference between the two highest probabilities, `[n]` ("breaking ties", Scheffer et al. 2001)."""
    top = np.partition(probabilities, -2, axis=1)[:, -2:]
    return np.asarray(1 - (top[:, 1] - top[:, 0]))


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Shannon entropy in nats, over the last axis (Dagan and Engelson 1995)."""
    return np.asarray(-(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(axis=-1))


def least_confident(probabilities: np.ndarray) -> np.ndarray:
    """1 minus the highest probability, `[n]` (Lewis and Gale 1994)."""
    return np.asarray(1 - probabilities.max(axis=1))


def disagreement(members: np.ndarray) -> np.ndarray:
    """BALD (Houlsby et al. 2011): entropy of the mean minus mean entropy, `[n]`, of several models' `[m, n, classes]`.

    Never below 0, and 0 where all models say the same.
    """
    return np.asarray(np.maximum(entropy(members.mean(axis=0)) - entropy(members).mean(axis=0), 0))


def contrast(probabilities: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """CAL (Margatina et al. 2021): mean KL divergence of the neighbours' probabilities from the text's, `[n]` nats.

    Args:
        neighbours: probabilities of the nearest labelled texts of each text, `[n, k, classes]`.
    """
    logs = np.log(np.maximum(neighbours, 1e-12)) - np.log(np.maximum(probabilities, 1e-12))[:, None]
    return np.asarray((neighbours * logs).sum(axis=-1).mean(axis=1))
