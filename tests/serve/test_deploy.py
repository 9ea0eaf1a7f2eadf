"""The examples in docs/deploy: options that exist, routes that exist, and times that fit together."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import typer.main
import yaml

from leanformer.cli.app import app
from leanformer.cli.serve import KEY_VARIABLE
from leanformer.serve.http.access import OPEN_ROUTES
from leanformer.serve.settings import RequestLimits

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "docs" / "deploy"
COMMAND = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]


def parsed(arguments: list[str]) -> dict[str, object]:
    """The options that the command reads from arguments; fails the test where one is unknown or ill-formed."""
    return dict(COMMAND.make_context("serve", list(arguments)).params)


def test_the_image_starts_the_command():
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
    entry = json.loads(re.findall(r"^ENTRYPOINT (.*)$", text, re.M)[0])
    options = parsed(json.loads(re.findall(r"^CMD (.*)$", text, re.M)[0]))
    assert entry[-1] == "serve"
    assert options["host"] == "0.0.0.0"
    assert f"EXPOSE {options['port']}" in text
    assert re.findall(r"127\.0\.0\.1:(\d+)(/\w+)", text) == [(str(options["port"]), "/ready")]
    assert "/ready" in OPEN_ROUTES, "the health check carries no key"
    assert "hatch_build.py --only" in text and ".whl" in text and "[serve]" in text and "USER leanformer" in text


def test_the_unit_starts_the_command_and_leaves_it_time_to_end():
    text = (DEPLOY / "leanformer.service").read_text(encoding="utf-8")
    words = shlex.split(re.findall(r"^ExecStart=(.*)$", text, re.M)[0])
    assert parsed(words[2:])["key_file"]
    assert int(re.findall(r"^TimeoutStopSec=(\d+)$", text, re.M)[0]) > RequestLimits().timeout_seconds + 5
    assert "KillMode=mixed" in text, "workers must not be told to stop before the server"


def test_the_deployment_fits():
    deployment, service = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8"))
    pod = deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]
    options = parsed(container["args"])
    assert container["ports"][0]["containerPort"] == options["port"]
    probes = [container[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")]
    assert {probe["path"] for probe in probes} <= set(OPEN_ROUTES)
    assert container["env"][0]["name"] == KEY_VARIABLE
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > pause + float(str(options["timeout"])) + 5
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]


@pytest.mark.parametrize("page", ["docs/how-to/serve.md"])
def test_the_page_names_what_there_is(page: str):
    text = (ROOT / page).read_text(encoding="utf-8")
    known = {name for parameter in COMMAND.params for name in (*parameter.opts, *parameter.secondary_opts)}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
    assert named <= known
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert ((ROOT / page).parent / target.partition("#")[0]).exists(), target
