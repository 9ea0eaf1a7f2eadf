"""The page at `/`: what it may load, and what it does in a browser.

The second part drives headless Chromium through chromedriver, over its own HTTP interface (W3C WebDriver), and needs
both programs on the PATH. Screenshots go to $LEANFORMER_SCREENSHOTS, if that is set, to be looked at.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leanformer.artifact import open_artifact
from leanformer.serve.http.pages import PAGE
from tests.making.reports import make_report, make_rung
from tests.making.servers import SECONDS, Server
from tests.making.tagged import tagged_sentences

TEXT = PAGE.read_text(encoding="utf-8")
ENTER, SHIFT = "\ue007", "\ue008"
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def test_the_page_needs_nothing_from_elsewhere():
    assert not re.findall(r"(?:https?:)?//[a-z]", re.sub(r"<!doctype.*?>", "", TEXT))
    assert not re.findall(r"<(?:script|img|iframe|link)[^>]*\bsrc=", TEXT)
    assert not re.findall(r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval)\b", TEXT)
    assert not re.findall(r"\son[a-z]+=|\sstyle=", TEXT), "the policy would not run it"


def test_every_field_has_its_label():
    for field in re.findall(r"<(?:textarea|input)[^>]*\bid=\"(\w+)\"", TEXT):
        assert f'<label for="{field}"' in TEXT
    assert '<html lang="en">' in TEXT
    assert 'role="status"' in TEXT and 'role="alert"' in TEXT


class Browser:
    """Just enough of WebDriver."""

    def __init__(self, port: int, *arguments: str) -> None:
        self.base = f"http://127.0.0.1:{port}"
        options = {
            "binary": shutil.which("chromium"),
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", *arguments],
        }
        wanted = {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}
        self.base += "/session/" + self.call("POST", "/session", capabilities=wanted)["sessionId"]

    def call(self, method: str, path: str, **body: Any) -> Any:
        data = json.dumps(body).encode() if method == "POST" else None
        request = urllib.request.Request(self.base + path, data, {"content-type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error

    def run(self, script: str, *arguments: Any) -> Any:
        return self.call("POST", "/execute/sync", script=script, args=list(arguments))

    def type(self, keys: str) -> None:
        """Type into whatever has the focus."""
        active = self.call("GET", "/element/active")[ELEMENT]
        self.call("POST", f"/element/{active}/value", text=keys)

    def until(self, script: str) -> Any:
        end = time.monotonic() + SECONDS
        while not (value := self.run(script)):
            assert time.monotonic() < end, f"never true: {script}\n{self.run('return document.body.innerText')}"
            time.sleep(0.05)
        return value

    def shoot(self, name: str) -> None:
        if folder := os.environ.get("LEANFORMER_SCREENSHOTS"):
            Path(folder, f"{name}.png").write_bytes(base64.b64decode(self.call("GET", "/screenshot")))


@pytest.fixture(scope="module")
def driver() -> Iterator[int]:
    """The port of a running chromedriver."""
    if not (shutil.which("chromedriver") and shutil.which("chromium")):
        pytest.skip("chromium and chromedriver are not on the PATH")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "started successfully" in line:
            break
    yield port
    process.terminate()
    process.wait(SECONDS)


def open_page(port: int, server: Server, *arguments: str) -> Browser:
    browser = Browser(port, "--window-size=1000,900", *arguments)
    browser.call("POST", "/url", url=f"http://127.0.0.1:{server.port}/")
    browser.until("return document.querySelectorAll('article').length")
    return browser


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_a_text_is_labelled_by_all_models_with_the_keyboard_alone(driver: int, server: Server, dark: bool):
    browser = open_page(driver, server, *(["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] * dark))
    try:
        assert browser.run("return [...document.querySelectorAll('h2')].map(e => e.textContent)") == ["tiny", "other"]
        browser.type("\ue004")  # the first stop of the tab key is the text
        assert browser.run("return document.activeElement.id") == "text"
        browser.type("it was a goal <b>in the</b> rain")
        browser.type(ENTER)
        told = browser.until("return document.getElementById('told').textContent")
        expected = server.predict("it was a goal <b>in the</b> rain").json
        first = browser.run(
            "return [...document.querySelector('article').querySelectorAll('th')].map(e => e.textContent)"
        )
        assert first == [score["label"] for score in expected]
        assert f"tiny: {expected[0]['label']}, {round(100 * expected[0]['score'])} percent" in told
        shares = browser.run(
            "return [...document.querySelector('article').querySelectorAll('meter')].map(e => e.value)"
        )
        assert shares == pytest.approx([score["score"] for score in expected])
        assert browser.run("return document.querySelectorAll('b').length") == 0
        complaints = browser.call("POST", "/se/log", type="browser")
        assert complaints == [], "the content security policy or the script complains"
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
        browser.run("document.querySelectorAll('details').forEach(e => e.open = true)")
        browser.shoot("playground-dark" if dark else "playground-light")
    finally:
        browser.call("DELETE", "")


@pytest.mark.browser
@pytest.mark.slow
def test_it_asks_for_the_key_and_tells_what_is_wrong(driver: int, tiny_onnx_artifact: Path):
    key = "k" * 32
    with Server(f"tiny={tiny_onnx_artifact}", "--workers", 1, environment={"LEANFORMER_API_KEY": key}) as server:
        browser = Browser(driver, "--window-size=400,800")
        try:
            browser.call("POST", "/url", url=f"http://127.0.0.1:{server.port}/")
            browser.until("return !document.getElementById('key-field').classList.contains('hidden')")
            assert "key" in browser.run("return document.getElementById('problem').textContent")
            browser.run("document.getElementById('key').focus()")
            browser.type(key + "\t")
            browser.until("return document.querySelectorAll('article').length")
            browser.type("rain" + ENTER)
            browser.until("return document.querySelectorAll('meter').length")
            assert browser.run("return document.getElementById('problem').textContent") == ""
            assert browser.run("return document.documentElement.scrollWidth <= innerWidth"), "it fits a telephone"
            browser.shoot("playground-narrow")
        finally:
            browser.call("DELETE", "")


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_entities_are_coloured_where_they_stand(driver: int, tag_server: Server, dark: bool):
    browser = open_page(driver, tag_server, *(["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] * dark))
    texts = [f"\U0001f3b8 {' '.join(words)} <b>it</b>" for words, _ in tagged_sentences(60, seed=9)]
    found = zip(texts, tag_server.tag(texts).json, strict=True)
    text, spans = next(
        pair for pair in found if len(pair[1]) > 2 and len({span["entity_group"] for span in pair[1]}) == 2
    )
    try:
        browser.run(
            "document.getElementById('text').value = arguments[0]; document.getElementById('text').focus()", text
        )
        browser.type(ENTER)
        told = browser.until("return document.getElementById('told').textContent")
        card = "document.querySelectorAll('article')[1]"
        marks = browser.run(f"return [...{card}.querySelectorAll('mark')].map(e => [e.firstChild.data, e.title])")
        assert marks == [[span["word"], f"{100 * span['score']:.1f} %"] for span in spans]
        types = browser.run(f"return [...{card}.querySelectorAll('mark .type')].map(e => e.textContent)")
        assert types == [span["entity_group"] for span in spans], "the type is told in words, and not by colour alone"
        colours = browser.run(
            f"return [...{card}.querySelectorAll('mark')].map(e => getComputedStyle(e).backgroundColor)"
        )
        assert len(set(colours)) == len(set(types)) == 2
        whole = browser.run(f"return {card}.querySelector('.tagged').cloneNode(true).textContent")
        assert "\U0001f3b8" in whole and "<b>it</b>" in whole
        cells = browser.run(
            f"return [...{card}.querySelectorAll('tr')].map(e => [...e.children].map(c => c.textContent))"
        )
        assert cells == [[span["word"], span["entity_group"], f"{100 * span['score']:.1f} %"] for span in spans]
        assert f"tags: {spans[0]['word']} {spans[0]['entity_group']}, " in told
        browser.run(f"{card}.querySelector('.tagged').focus()")
        assert browser.run("return document.activeElement.getAttribute('aria-label')") == "The text with its entities"
        assert browser.call("POST", "/se/log", type="browser") == [], "the policy or the script complains"
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
        for ink, ground in browser.run(
            f"return [...{card}.querySelectorAll('mark')].map(e => [getComputedStyle(e).color, "
            "getComputedStyle(e).backgroundColor])"
        ):
            assert contrast(ink, ground) >= 4.5, "WCAG 2.2, 1.4.3"
        browser.shoot("playground-tags-dark" if dark else "playground-tags-light")
    finally:
        browser.call("DELETE", "")


@pytest.mark.browser
@pytest.mark.slow
def test_two_texts_are_compared_by_their_vectors(driver: int, all_server: Server):
    browser = open_page(driver, all_server)
    try:
        assert browser.run("return document.getElementById('second').required") is False
        browser.run("document.getElementById('text').value = 'rain and song'; document.getElementById('text').focus()")
        browser.type(ENTER)
        browser.until("return document.querySelector('.vector')")
        assert browser.run("return document.querySelector('.cosine')") is None
        browser.run("document.getElementById('second').value = 'goal'; document.getElementById('second').focus()")
        browser.type(ENTER)
        found = browser.until("return document.querySelector('.cosine')?.textContent")
        first, second = all_server.embed(["rain and song", "goal"]).json
        cosine = sum(a * b for a, b in zip(first, second, strict=True))
        assert float(found.rpartition(" ")[2]) == pytest.approx(cosine, abs=2e-3)
        # What is told is told when all models have answered.
        browser.until("return document.getElementById('told').textContent.includes('vectors: cosine ')")
        assert browser.call("POST", "/se/log", type="browser") == []
        browser.shoot("playground-vectors")
    finally:
        browser.call("DELETE", "")


@pytest.mark.browser
@pytest.mark.slow
def test_the_card_tells_what_was_measured(driver: int, tiny_onnx_artifact: Path, tmp_path: Path):
    folder = tmp_path / "model"
    shutil.copytree(tiny_onnx_artifact, folder)
    rung = make_rung("int8", content_hash=open_artifact(folder).content_hash)
    make_report(make_rung(), rung).write(folder / "report.json")
    with Server(f"lean={folder}", "--workers", 1) as server:
        browser = open_page(driver, server)
        try:
            browser.run("document.querySelector('details').open = true")
            told = browser.run("return document.querySelector('dl').innerText")
            assert "91.2 % on 60 test texts (89.1 to 93.4)" in told and "Some CPU @ 2 GHz" in told
            browser.shoot("playground-figures")
        finally:
            browser.call("DELETE", "")


def contrast(*colours: str) -> float:
    """The contrast ratio of two colours as a browser tells them (WCAG 2.2)."""
    light = []
    for colour in colours:
        parts = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        light.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(light) + 0.05) / (min(light) + 0.05)
