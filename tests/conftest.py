"""What all tests share: no network, tests on real data only where there is some, one tiny model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

# Also when pytest is started by hand: a test that would download something fails at once.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Some tests import ONNX Runtime before anything of ours.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def data_folder() -> Path | None:
    """The folder that $LEANFORMER_DATA names, or None when it names none that exists."""
    value = os.environ.get("LEANFORMER_DATA", "")
    return Path(value) if value and Path(value).is_dir() else None


_LONG_SECONDS = 900  # for the tests that `make test` leaves out


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(map(item.get_closest_marker, ("slow", "docs", "base_install"))):
            item.add_marker(pytest.mark.timeout(_LONG_SECONDS))
    if data_folder() is not None:
        return
    skip = pytest.mark.skip(reason="$LEANFORMER_DATA is not a folder")
    for item in items:
        if item.get_closest_marker("data"):
            item.add_marker(skip)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object | None) -> None:
    """End the run when a worker dies: pytest-xdist hands its file to another one and then may wait for ever."""
    if error is None or "Not properly terminated" not in str(error):
        return
    scheduler = getattr(node.config.pluginmanager.getplugin("dsession"), "sched", None)
    name = node.gateway.id
    status = node.gateway._io.popen.wait(timeout=60)
    running = [
        test
        for scope in getattr(scheduler, "assigned_work", {}).get(node, {}).values()
        for test, done in scope.items()
        if not done
    ][:1]
    pytest.exit(
        f"worker {name} ended with status {status} while running {', '.join(running) or 'nothing'}", returncode=3
    )


@pytest.fixture(scope="session")
def leanformer_data() -> Path:
    """The data folder, for tests marked `data`."""
    folder = data_folder()
    if folder is None:
        pytest.skip("$LEANFORMER_DATA is not a folder")
    return folder


def make_tiny_onnx_artifact(folder: Path) -> Path:
    """Make a tiny classification artifact of format "onnx" below `folder` and return its path."""
    # Inside the function: the tests that never ask for it must not need torch.
    from tests.making.graphs import make_onnx

    return make_onnx(folder)[1].path


@pytest.fixture(scope="session")
def tiny_onnx_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny ONNX artifact for the whole session. Read only: a test that changes it works on a copy."""
    return make_tiny_onnx_artifact(tmp_path_factory.mktemp("tiny_onnx_artifact"))
