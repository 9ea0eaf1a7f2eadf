"""Functions that trials on Ray run; each writes down that it was begun."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any


def _begun(description: dict[str, Any]) -> int:
    """Note the attempt; how many there were before."""
    path = Path(description["notes"]) / f"attempts-{description['x']}"
    before = len(path.read_text(encoding="utf-8").split()) if path.exists() else 0
    with open(path, "a", encoding="utf-8") as handle:
        handle.write(f"{os.getpid()}\n")
    return before


def square(description: dict[str, Any]) -> dict[str, Any]:
    """x squared; where it says so, the worker dies, the first time or always, or the function fails."""
    before = _begun(description)
    dies = description.get("dies", "never")
    if dies == "always" or (dies == "once" and before == 0):
        os.kill(os.getpid(), signal.SIGKILL)
    if dies == "fails":
        raise ValueError("this one cannot be done")
    time.sleep(0.05)
    return {"square": description["x"] ** 2}


def no_json(description: dict[str, Any]) -> Any:
    _begun(description)
    return float("nan")


NOT_CALLABLE = 3
