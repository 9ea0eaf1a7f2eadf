"""What `leanformer tune` found, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SHOWN = 8


def tuning_lines(record: Mapping[str, Any]) -> list[str]:
    """The choice with its reason, what is said of precisions, and the best of the alternatives.

    `record` may come from a file that anybody wrote: what is missing is left out.
    """
    lines = [
        f"tuned for {record.get('goal')} on {record.get('machine', {}).get('cores')} cores: {record.get('reason')}"
    ]
    lines += [str(one.get("words")) for one in record.get("precision", ())]
    timed = [one for one in record.get("alternatives", ()) if "ms_per_text" in one]
    for one in sorted(timed, key=lambda one: (-one.get("final_rounds", 0), -one["speedup"]))[:_SHOWN]:
        where = f"{one['artifact']}, " if "artifact" in one else ""
        lines.append(f"  {one['ms_per_text']:9.3f} ms  {one['speedup']:5.2f}x  {where}{_settings(one, record)}")
    reasons: dict[str, int] = {}
    for one in record.get("alternatives", ()):
        if "ms_per_text" not in one and one.get("left"):
            reasons[f"{one['engine']}: {one['left']}"] = reasons.get(f"{one['engine']}: {one['left']}", 0) + 1
    lines += [f"  {count} not timed, {reason}" for reason, count in reasons.items()]
    return lines


def _settings(one: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    if record.get("goal") == "latency":
        return f"{one['engine']}, {one['lone_threads']} threads"
    packs = "packs of its own choice" if one["pack_tokens"] is None else f"packs of {one['pack_tokens']}"
    return f"{one['engine']}, {one['workers']} x {one['worker_threads']} threads, {packs}{', pinned' * one['pinned']}"
