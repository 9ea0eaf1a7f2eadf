"""The page of suspects: its data are escaped, it loads nothing, and what it saves is read again.

The last part drives headless Chromium, as in `tests/serve/test_playground.py`.
"""

from __future__ import annotations

import json
import re
import time
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from leanformer.curate.curation import find
from leanformer.curate.decisions import decide_labels
from leanformer.curate.findings import Findings, LabelCheck, Suspect
from leanformer.curate.label_errors import label_errors
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.render.suspects import MOST_SHOWN, suspects_page
from leanformer.task import Task
from tests.making.tagged import TASK as TAGGED
from tests.serve.test_playground import Browser
from tests.serve.test_playground import driver as driver

BAD = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(1)> & \u2028 \"quoted\" 'so' @CODE@ @DATA@"
TASK = Task("classification", ("a", BAD))
TEXTS = (BAD, "second", "third", "fourth")
TRAIN = Examples(TASK, TEXTS, (0, 1, 0, 1))
DATA = Dataset(TASK, train=TRAIN, name=BAD)


def findings(data: Dataset, *suspects: Suspect) -> Findings:
    assert data.train is not None
    return replace(find(data), labels=LabelCheck(suspects, 4, (), "n-grams", data.train.content_hash))


def suspect(data: Dataset, row: int, suggested: Any, word: int | None = None) -> Suspect:
    from leanformer.curate.curation import place

    assert data.train is not None
    here = place(data.train, "train", row)
    return Suspect(here, here.label or "", suggested, 0.125, -0.5, word)


PAGE = suspects_page(findings(DATA, suspect(DATA, 0, BAD), suspect(DATA, 1, "a"), suspect(DATA, 2, BAD)))


def data_of(page: str) -> dict[str, Any]:
    [found] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    value: dict[str, Any] = json.loads(found)
    return value


def test_texts_labels_and_names_are_data_and_nothing_else() -> None:
    found = data_of(PAGE)
    assert found["suspects"][0]["text"] == found["suspects"][0]["suggested"] == found["labels"][1] == BAD
    assert found["name"] == BAD and found["data"] == TRAIN.content_hash
    assert PAGE.count("<script") == PAGE.count("</script>") == 2
    assert "alert(1)<" not in PAGE and "<img" not in PAGE and "\u2028" not in PAGE


def test_the_page_runs_its_own_script_and_loads_nothing() -> None:
    [code] = re.findall(r"<script>(.*?)</script>", PAGE, re.S)
    assert f"script-src 'sha256-{b64encode(sha256(code.encode()).digest()).decode()}'" in PAGE
    assert "default-src 'none'" in PAGE
    template = PAGE.replace(re.findall(r'id="data">(.*?)</script>', PAGE, re.S)[0], "")
    assert not re.findall(r"(?:https?:)?//[a-z]", re.sub(r"<!doctype.*?>", "", template))
    assert not re.findall(r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval)\b", template)
    assert not re.findall(r"<[^>]*\s(?:src|onclick|style)=", template)


def test_a_long_list_is_cut_and_says_so() -> None:
    many = [suspect(DATA, 1, "a")] * (MOST_SHOWN + 1)
    found = data_of(suspects_page(findings(DATA, *many)))
    assert len(found["suspects"]) == MOST_SHOWN and found["about"].startswith("The first 2,000 of 2,001 ")
    with pytest.raises(ValueError, match="not checked"):
        suspects_page(find(DATA))


# Chromium keeps what a page downloads in this folder.
def opened(port: int, folder: Path, page: str) -> Browser:
    (folder / "suspects.html").write_text(page, encoding="utf-8")
    browser = Browser(port)
    browser.call(
        "POST", "/goog/cdp/execute", cmd="Browser.setDownloadBehavior",
        params={"behavior": "allow", "downloadPath": str(folder)},
    )  # fmt: skip
    browser.call("POST", "/url", url=(folder / "suspects.html").as_uri())
    return browser


def saved(browser: Browser, folder: Path) -> Path:
    browser.type("e")
    path = folder / "decisions.jsonl"
    for _ in range(100):
        if path.is_file():
            break
        time.sleep(0.05)
    return path


@pytest.mark.browser
@pytest.mark.slow
def test_suspects_are_decided_with_the_keyboard_and_the_file_is_read(driver: int, tmp_path: Path) -> None:
    browser = opened(driver, tmp_path, PAGE)
    try:
        shown = "return document.getElementById(arguments[0]).textContent"
        assert browser.run(shown, "text") == BAD and browser.run(shown, "given") == "a"
        # Keys are for the page again after a choice from the list, and one that is held down decides nothing.
        chosen = "const s = document.getElementById('label'); s.focus(); s.dispatchEvent(new Event('change'));"
        assert browser.run(f"{chosen} return document.activeElement.tagName") == "BODY"
        browser.run("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'a', repeat: true}))")
        assert browser.run(shown, "text") == BAD
        browser.type("a")
        assert browser.run(shown, "text") == "second"
        browser.type("s")
        browser.type("d")
        assert "1 accepted, 0 rejected, 1 dropped, not saved yet" in browser.run(shown, "progress")
        browser.type("b")
        browser.type("b")
        browser.type("r")
        decided = decide_labels(saved(browser, tmp_path), DATA)
        assert (decided.relabelled, decided.dropped, decided.kept) == ((0,), (2,), 1)
        assert not browser.call("POST", "/se/log", type="browser")
    finally:
        browser.call("DELETE", "")


@pytest.mark.browser
@pytest.mark.slow
def test_a_word_is_marked_in_its_sentence_and_another_tag_can_be_chosen(driver: int, tmp_path: Path) -> None:
    data = Dataset(TAGGED, train=Examples(TAGGED, ("one two three", "four five"), ((0, 1, 2), (3, 4))))
    first = Suspect(suspect(data, 0, "").place, "B-MUS", "O", 0.1, -0.8, 1)
    browser = opened(driver, tmp_path, suspects_page(findings(data, first)))
    try:
        assert browser.run("return document.querySelector('mark').textContent") == "two"
        assert browser.run("return document.getElementById('text').textContent") == "one two three"
        browser.run("document.getElementById('label').value = JSON.stringify('B-SPO')")
        browser.type("a")
        decided = decide_labels(saved(browser, tmp_path), data)
        assert decided.data.train is not None and decided.data.train.labels == ((0, 3, 1), (3, 4))
    finally:
        browser.call("DELETE", "")


def test_label_errors_and_the_page_agree_about_rows() -> None:
    """What the page says of a row is what the file of decisions means by it."""
    texts = tuple(f"{'sun rain' if row % 2 else 'ball goal'} {row}" for row in range(60))
    labels = tuple((row % 2) ^ (row in (10, 31)) for row in range(60))
    task = Task("classification", ("sport", "weather"))
    data = Dataset(task, train=Examples(task, texts, labels, lines=tuple(range(5, 65))))
    found = data_of(suspects_page(replace(find(data), labels=label_errors(data, []))))
    assert {(entry["row"], entry["line"]) for entry in found["suspects"]} == {(11, 15), (32, 36)}
    assert {entry["suggested"] for entry in found["suspects"]} == {"sport", "weather"}
