"""The groups in which `--help` shows commands and, for long commands, options."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from leanformer.measurements import MEASUREMENTS

MAKE, MEASURE, USE = "Make a model", "Measure and decide", "Use a model"

DATA, TRAINING, CHOICE = "Data", "Training", "Choosing a model"
MEASURING, RUNNING, LIMITS = "Measuring", "Machine", "Limits"
OUTPUT, ACCESS = "Output", "Access"

# The names of the parameters in each group; whatever is in none stays under "Options".
PANELS = {
    DATA: (
        "data", "split", "kind", "max_tokens", "long", "overlap", "on", "input", "pair", "keep", "strict", "labelled",
        "cost", "encoder", "group", "licence", "source",
    ),
    TRAINING: (
        "epochs", "batch_size", "token_budget", "learning_rate", "precision", "language_temperature", "crf",
        "objective", "initial", "shape", "heads", "ffn", "layer", "relation_heads", "steps", "map_with", "map_epochs",
    ),
    CHOICE: (
        "max_drop", "goal", "max_loss", "confidence", "promise", "measure", "fit_share", "otherwise", "max_flips",
        "used", "allow_weak_teacher", "allow_lost_classes", "trials", "minutes", "joules", "sampler", "max_changed",
    ),
    MEASURING: (
        "usd_per_hour", "rounds", "memory", "floor", "energy", "country", *MEASUREMENTS, "also", "seconds",
    ),
    LIMITS: (
        "queue_tokens", "pack_tokens", "timeout", "body_bytes", "texts", "text_characters", "receive_seconds",
        "send_seconds", "connections", "require_gate", "certificate",
    ),
    ACCESS: ("host", "port", "key_file", "allow_host", "cors_origin"),
    RUNNING: (
        "seed", "threads", "device", "tuning", "ray", "cores", "part_rows", "workers", "isolation", "nice",
        "models_from",
    ),
    OUTPUT: ("output", "status", "overwrite", "work", "as_json", "forecast", "forecast_only"),
}  # fmt: skip
_PANEL_OF = {name: panel for panel, names in PANELS.items() for name in names}
# Fewer options are easier to read in one list.
FEWEST_OPTIONS = 10


def in_panels(parameters: Iterable[Any]) -> None:
    """Sort the options of a command into the groups, if it has many."""
    options = [parameter for parameter in parameters if parameter.param_type_name == "option"]
    if len(options) < FEWEST_OPTIONS:
        return
    sizes = Counter(_PANEL_OF.get(option.name) for option in options)
    for option in options:
        panel = _PANEL_OF.get(option.name)
        option.rich_help_panel = panel if sizes[panel] > 1 else None
