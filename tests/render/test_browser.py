"""The page in a real browser: drawn without errors, wide and narrow, its pictures and switches working."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from leanformer.render.gathered import Gathered
from leanformer.render.page import report_page
from tests.render.test_page import TEXTS, detailed

CHROMIUM = os.environ.get("CHROMIUM") or next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found"),
]


def chromium(page: Path, *options: str) -> str:
    result = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={page.parent / 'profile'}",
         *options, page.as_uri()],
        capture_output=True, text=True, timeout=180, check=True,
    )  # fmt: skip
    return result.stdout


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_text(report_page(Gathered({"a": detailed(), "b": detailed()}, texts=TEXTS)), encoding="utf-8")
    return path


def test_the_browser_keeps_what_was_written(page: Path):
    """Broken nesting would be moved about by the parser; pictures and tables stand where they were put."""
    found = chromium(page, "--dump-dom")
    assert found.count("<figure") == page.read_text(encoding="utf-8").count("<figure")
    assert found.count("<tr") == page.read_text(encoding="utf-8").count("<tr")
    assert "<script" not in found


@pytest.mark.parametrize("width", [500, 1100])
def test_it_is_drawn(width: int, page: Path):
    shot = page.with_name(f"shot{width}.png")
    chromium(page, f"--screenshot={shot}", f"--window-size={width},1400")
    data = shot.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24])[0] == width
    assert len(data) > 20_000, "an empty page is smaller"


def test_it_prints(page: Path):
    pdf = page.with_suffix(".pdf")
    chromium(page, f"--print-to-pdf={pdf}")
    assert pdf.read_bytes()[:5] == b"%PDF-"
