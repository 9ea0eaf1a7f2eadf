"""Techniques of other people's packages, found by their entry points; a small real package for each case."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from leanformer import catalog
from leanformer.errors import RecipeError
from leanformer.recipe.run import run_recipe
from leanformer.recipe.spec import read_recipe
from tests.making.commands import Command, make_command
from tests.making.graphs import make_context
from tests.making.tiny import tiny_artifact

MODULE = '''"""Leaves a model as it is.

What: nothing is done.
Paper: none; it is an example.
Helps: whoever tests.
Hurts: nobody at all.
Needs: nothing at all.
Example: {step: extra.nothing, times: 2}
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import ClassVar

from leanformer.artifact import open_artifact
from leanformer.step import Make


@dataclass(frozen=True)
class Nothing(Make):
    """Copy the artifact."""

    times: int = 1  # how often nothing is done

    technique: ClassVar[str] = "extra.nothing"
    consumes: ClassVar[tuple[str, ...]] = ("encoder",)
    produces: ClassVar[str] = "encoder"

    def __call__(self, artifact, context, output):
        shutil.copytree(artifact.path, output)
        return open_artifact(output)
'''


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return make_command(monkeypatch, capsys)


Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a package as an installer does: the code and a folder of metadata with its entry points."""

    def install(package: str, entries: dict[str, str], source: str = MODULE) -> Path:
        site = tmp_path / f"site-{package}"
        (site / package).mkdir(parents=True)
        (site / package / "__init__.py").write_text("")
        (site / package / "steps.py").write_text(source)
        metadata = site / f"{package}-1.2.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        lines = "".join(f"{name} = {value}\n" for name, value in entries.items())
        (metadata / "entry_points.txt").write_text(f"[leanformer.techniques]\n{lines}")
        monkeypatch.syspath_prepend(site)
        return site

    return install


def test_it_stands_beside_ours(install: Install, command: Command):
    install("extra_a", {"extra.nothing": "extra_a.steps:Nothing"})
    assert catalog.names() == sorted([*catalog.TECHNIQUES, "extra.nothing"])
    status, out, _ = command("techniques")
    assert status == 0 and "Leaves a model as it is\n" in out and len(out.splitlines()) == len(catalog.names())
    status, out, _ = command("techniques", "extra.nothing")
    assert status == 0 and "times: int = 1\n      how often nothing is done" in out


def test_a_recipe_runs_it(install: Install, tmp_path: Path):
    install("extra_b", {"extra.nothing": "extra_b.steps:Nothing"})
    (tmp_path / "recipe.yaml").write_text("steps:\n- {step: extra.nothing, times: 3, rung: same}\n")
    recipe, teacher = read_recipe(tmp_path / "recipe.yaml"), tiny_artifact(tmp_path / "teacher")
    outcome = run_recipe(recipe, teacher, make_context(tmp_path, teacher), tmp_path / "work")
    assert outcome.artifacts["extra.nothing"].content_hash == teacher.content_hash


def test_nothing_of_it_is_imported_before_it_is_asked_for(install: Install):
    site = install("extra_c", {"extra.nothing": "extra_c.steps:Nothing"}, source="raise RuntimeError('imported')\n")
    code = (
        "import json, sys; from leanformer import catalog; catalog.load('curate.duplicates'); catalog.names(); "
        "print(json.dumps('extra_c' in sys.modules))"
    )
    path = f"import sys; sys.path.insert(0, {str(site)!r}); "
    done = subprocess.run([sys.executable, "-c", path + code], capture_output=True, text=True, timeout=120)
    assert json.loads(done.stdout) is False, done.stderr


@pytest.mark.parametrize("ask", [catalog.load, catalog.card])
def test_a_name_of_ours_is_refused(ask: Callable[[str], object], install: Install):
    install("extra_d", {"compress.prune": "extra_d.steps:Nothing"})
    with pytest.raises(RecipeError, match=r"is Leanformer's own, and registered by package extra_d 1\.2\n"):
        ask("compress.prune")


@pytest.mark.parametrize("ask", [catalog.load, catalog.card])
def test_two_packages_with_one_name_are_refused(ask: Callable[[str], object], install: Install):
    install("extra_e", {"extra.same": "extra_e.steps:Nothing"})
    install("extra_f", {"extra.same": "extra_f.steps:Nothing"})
    with pytest.raises(RecipeError) as caught:
        ask("extra.same")
    assert "package extra_e 1.2" in str(caught.value) and "package extra_f 1.2" in str(caught.value)
    assert "uninstall one of them" in str(caught.value)


BROKEN = {
    "gone": ("steps:Gone", MODULE, "AttributeError"),
    "no_module": ("nowhere:Nothing", MODULE, "ModuleNotFoundError"),
    "raises": ("steps:Nothing", "raise OSError('no such library')\n", "OSError: no such library"),
    "no_step": ("steps:Nothing", "class Nothing: pass\n", "no dataclass derived from leanformer.step.Make or Curate"),
    "renamed": ("steps:Nothing", MODULE.replace('"extra.nothing"', '"extra.else"'), "calls itself 'extra.else'"),
    "typed": ("steps:Nothing", MODULE.replace("from __future__ import annotations\n", ""), "lacks `from __future__"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_one_is_refused_by_the_name_of_its_package(case: str, install: Install):
    target, source, said = BROKEN[case]
    install(f"broken_{case}", {"extra.nothing": f"broken_{case}.{target}"}, source)
    with pytest.raises(RecipeError) as caught:
        catalog.load("extra.nothing")
    assert f"package broken_{case} 1.2 registers the technique 'extra.nothing'" in str(caught.value)
    assert said in str(caught.value) and "remedy: update the package, or uninstall it" in str(caught.value)


def test_a_broken_one_does_not_hide_the_rest(install: Install, command: Command):
    install("broken_card", {"extra.nothing": "broken_card.steps:Nothing"}, MODULE.replace("Hurts: ", "Harms: "))
    status, out, _ = command("techniques")
    assert status == 0 and len(out.splitlines()) == len(catalog.TECHNIQUES) + 1
    assert "cannot be used: package broken_card 1.2" in out and "lacks Hurts" in out
