"""The result of `leanformer tune`, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SHOWN = 8


def tuning_lines(record: Mapping[str, Any]) -> list[str]:
    """The choice with its reason, the comparison of precisions, and the best of the alternatives.

    Raises `ValueError` for a record that `leanformer tune` did not write; the file may come from anywhere.
    """
    try:
        lines = _lines(record)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not what leanformer tune writes ({type(error).__name__}: {error})") from error
    return ["".join(letter if letter.isprintable() else "?" for letter in line) for line in lines]


def _lines(record: Mapping[str, Any]) -> list[str]:
    lines = [f"tuned for {record['goal']} on {record['machine']['cores']} cores: {record['reason']}"]
    lines += [str(comparison["words"]) for comparison in record["precision"]]
    timed = [alternative for alternative in record["alternatives"] if "ms_per_text" in alternative]
    for alternative in sorted(timed, key=lambda row: (-row.get("final_rounds", 0), -row["speedup"]))[:_SHOWN]:
        where = f"{alternative['artifact']}, " if "artifact" in alternative else ""
        lines.append(
            f"  {alternative['ms_per_text']:9.3f} ms  {alternative['speedup']:5.2f}x  "
            f"{where}{_settings(alternative, record)}"
        )
    reasons: dict[str, int] = {}
    for alternative in record["alternatives"]:
        if "ms_per_text" not in alternative and alternative.get("left"):
            reasons[f"{alternative['engine']}: {alternative['left']}"] = (
                reasons.get(f"{alternative['engine']}: {alternative['left']}", 0) + 1
            )
    lines += [f"  {count} not timed, {reason}" for reason, count in reasons.items()]
    return lines


def _settings(row: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    if record["goal"] == "latency":
        return f"{row['engine']}, {row['lone_threads']} threads"
    packs = "packs of its own choice" if row["pack_tokens"] is None else f"packs of {row['pack_tokens']}"
    return f"{row['engine']}, {row['workers']} x {row['worker_threads']} threads, {packs}{', pinned' * row['pinned']}"
