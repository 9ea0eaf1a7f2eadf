"""A report made by hand, for tests of what reads one."""

from __future__ import annotations

from typing import Any

from leanformer.report import Report, Rung


def make_rung(name: str = "first", **changes: Any) -> Rung:
    """A rung with figures that all differ from one another."""
    fields: dict[str, Any] = {
        "name": name, "after": None, "runtime": "ONNX Runtime", "quality": 0.9123, "quality_low": 0.891,
        "quality_high": 0.934, "macro_f1_low": 0.85, "macro_f1_high": 0.89, "matthews_low": 0.74, "matthews_high": 0.79,
        "inference_per_second": 23456.7,
        "dev_quality": 0.9034, "metric": "accuracy", "n": 60, "drop": 0.0123, "drop_low": -0.004,
        "drop_high": 0.021, "macro_f1": 0.8765, "matthews": 0.765, "worst_class": "sport", "worst_class_recall": 0.6543,
        "agreement": 0.987, "probability_agreement": 0.95, "latency_ms_p50": 1.234, "latency_ms_p95": 2.345,
        "latency_ms_p99": 3.456, "latency_n": 300, "tokenizer_ms_p50": 0.1, "throughput_per_second": 12345.6,
        "throughput_median": 12345.6, "throughput_n": 57, "speedup": 4.56, "speedup_over_unpadded": 3.21,
        "marginal": 1.78, "usd_per_100m": 190.5, "bytes": 45_600_000, "parameters": 11_400_000,
        "peak_memory_bytes": 123_000_000, "format": "onnx", "content_hash": "c0ffee", "chooseable": True,
        "lossless": False,
    }  # fmt: skip
    return Rung(**(fields | {"name": name} | changes))


def make_report(*rungs: Rung, **changes: Any) -> Report:
    """A report of two rungs (or those given), the last chosen."""
    ladder = rungs or (make_rung("first"), make_rung("int8", after="first", speedup=9.87, quality=0.9012))
    fields: dict[str, Any] = {
        "title": "quick on tiny",
        "rungs": ladder,
        "machine": {
            "cpu": "Some CPU @ 2 GHz", "instruction_sets": ["avx2", "avx512_vnni"], "cores": 8, "threads": 2,
            "memory_bytes": 1, "system": "Linux", "python": "3.12.1", "versions": {"numpy": "2.1.0"},
        },
        "data": {"name": "tiny", "rows": {"test": 60}},
        "price": {"usd_per_hour": 0.0846, "basis": "2 of 16 cores"},
        "choice": {
            "rung": ladder[-1].name, "goal": "throughput", "max_drop": 1.0, "status": "chosen, not proven",
            "reason": "best throughput of all",
        },
        "notes": ("3 of 60 test texts are also in train",),
        "recipe": {"name": "quick", "steps": [], "seed": 13},
    }  # fmt: skip
    return Report(**(fields | changes))
