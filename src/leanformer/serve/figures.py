"""An artifact's measured figures, from the report that `leanformer compress` stored with it."""

from __future__ import annotations

from typing import Any

from leanformer.artifact import Artifact
from leanformer.errors import LeanformerError
from leanformer.report import Report

REPORT = "report.json"
_TOLD = (
    "metric", "quality", "quality_low", "quality_high", "n", "drop", "throughput_per_second", "latency_ms_p50",
)  # fmt: skip


def read_figures(artifact: Artifact) -> dict[str, Any] | None:
    """Figures of the rung with this artifact's content hash, and the CPU they were measured on; None if there are none.

    The report is not part of the artifact and has no hash, so a report that cannot be read is ignored.
    """
    path = artifact.path / REPORT
    if not path.is_file():
        return None
    try:
        report = Report.read(path)
        rungs = [rung for rung in report.rungs if rung.content_hash == artifact.content_hash]
        if not rungs:
            return None
        return {name: getattr(rungs[0], name) for name in _TOLD} | {"cpu": str(report.machine.get("cpu"))}
    except (LeanformerError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
