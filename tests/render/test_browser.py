"""The page in a real browser: drawn without errors, wide and narrow, its pictures and switches working."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from leanformer.render.page import report_page
from leanformer.render.several_reports import Gathered
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


# A page beside that tells, in its own text, how wide the report is when it is shown on a phone.
_FRAME = """<!doctype html><iframe id=f src="report.html" width=390 height=800 style="border:0"></iframe><p id=out></p>
<script>onload = () => {
  const page = document.getElementById("f").contentDocument;
  const shown = [...page.querySelectorAll(".axes figure")].filter(one => one.getBoundingClientRect().height > 0);
  page.getElementById("by-size").click();
  const after = [...page.querySelectorAll(".axes figure")].filter(one => one.getBoundingClientRect().height > 0);
  document.getElementById("out").textContent =
    "width " + page.documentElement.scrollWidth + " shown " + shown.map(one => one.id)
    + " then " + after.map(one => one.id);
}</script>"""


def test_on_a_phone_nothing_but_tables_is_wider_than_the_screen_and_axes_can_be_chosen(page: Path):
    frame = page.with_name("frame.html")
    frame.write_text(_FRAME, encoding="utf-8")
    found = chromium(frame, "--allow-file-access-from-files", "--virtual-time-budget=5000", "--dump-dom")
    said = re.search(r"width (\d+) shown (\S+) then (\S+)<", found)
    assert said is not None, found[-500:]
    assert int(said[1]) <= 390
    assert (said[2], said[3]) == ("figure-throughput", "figure-size")


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext found")
def test_on_paper_all_axes_are_drawn_and_nothing_stays_folded_away(page: Path):
    pdf = page.with_suffix(".pdf")
    chromium(page, f"--print-to-pdf={pdf}")
    words = subprocess.run(["pdftotext", str(pdf), "-"], capture_output=True, text=True, check=True).stdout
    axes = ("texts per second", "size on disk, MB", "USD per 100 million texts")
    for axis in (*axes, "Where quality was lost", "train.fine_tune"):
        assert axis in words
