"""Numbers that cannot be meant: every option of every command refuses them, and so does every option of a recipe."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args, get_type_hints

import pytest
import typer.main

from leanformer.catalog import TECHNIQUES, load
from leanformer.cli.app import app
from leanformer.cli.numbers import Numbered
from leanformer.errors import RecipeError
from leanformer.recipe.spec import build
from tests.making.commands import Command

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
INTEGERS = ("99999999999999999999", "-99999999999999999999", str(10**30))
FLOATS = ("nan", "inf", "-inf", "1e300", "-1e30", *INTEGERS)


def numeric() -> list[tuple[str, str, str]]:
    """Command, option and value."""
    found = []
    for name, command in sorted(COMMANDS.items()):
        assert isinstance(command, Numbered)
        hints = get_type_hints(command.callback)
        for parameter in command.params:
            kinds = {hints.get(parameter.name), *get_args(hints.get(parameter.name))}
            values = FLOATS if float in kinds else INTEGERS if int in kinds else ()
            found += [(name, parameter.opts[0], value) for value in values]
            if parameter.name == "threads":
                found += [(name, parameter.opts[0], value) for value in ("0", "-1", "5000")]
            if parameter.name == "seed":
                found += [(name, parameter.opts[0], value) for value in ("-1", str(2**32))]
            if parameter.name in ("rounds", "epochs", "batch_size"):
                found += [(name, parameter.opts[0], value) for value in ("0", "-3")]
    return found


NUMERIC = numeric()


def test_the_options_were_found():
    assert len({(name, option) for name, option, _ in NUMERIC}) > 40
    assert {"--epochs", "--threads", "--seed", "--rounds", "--batch-size", "--learning-rate", "--max-drop"} <= {
        option for _, option, _ in NUMERIC
    }


@pytest.mark.slow
@pytest.mark.parametrize(("name", "option", "value"), NUMERIC)
def test_an_absurd_number_is_wrong_usage(name: str, option: str, value: str, command: Command):
    needed = []
    for parameter in COMMANDS[name].params:
        if parameter.required:
            needed += [*([parameter.opts[0]] if parameter.opts[0].startswith("-") else []), "x"]
    status, out, err = command(name, *needed, f"{option}={value}")
    assert (status, out) == (2, ""), err
    assert option in err and "Traceback" not in err
    assert "is not a number from" in err or "Input should be" in err


@pytest.mark.parametrize("value", [10**20, -(10**20), 10**400, float("nan"), float("inf"), 1e300, [1, 10**30]])
@pytest.mark.parametrize("technique", sorted(TECHNIQUES))
def test_an_absurd_number_in_a_recipe(technique: str, value: Any):
    for field_ in fields(load(technique)):
        with pytest.raises(RecipeError, match="recipe x, line 3"):
            build(technique, {field_.name: value}, "recipe x, line 3")
