"""The table of clients, on tiny models."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.making.graphs import make_embedder
from tests.making.servers import Server


@pytest.mark.slow
def test_calls_are_made_and_compared(tiny_onnx_artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("openai")
    constants = pytest.importorskip("huggingface_hub.constants")
    from benchmarks.serve.clients import CALLS, Clients, rows_of

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("NO_PROXY", "")
    vectors = make_embedder(tmp_path)[1].path
    with Server(f"tiny={tiny_onnx_artifact}", f"vectors={vectors}", "--workers", 1) as server:
        rows = rows_of(server.port, "predict")
        # Of a framework that is not installed there is no row; the others are needed for development.
        frameworks = ("langchain-openai", "haystack-ai", "huggingface-api-haystack")
        assert [row["call"] for row in rows if row["client"] not in frameworks] == [
            call for client, call, route, _ in CALLS
            if client not in frameworks and (route == "predict" or client == "openai" or "similarity" in call)
        ]  # fmt: skip
        assert all(row["ok"] and row["version"] for row in rows), rows
        other = {"models": [{"name": "else", "route": "embed", "pairs": False}]}
        monkeypatch.setattr(Clients, "ours", lambda *_: other)
        assert not any(row["ok"] for row in rows_of(server.port, "predict"))
