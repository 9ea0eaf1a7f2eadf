"""Help is shown in groups: commands by what they are for, the options of long commands by concern."""

from __future__ import annotations

from collections import Counter

import pytest
import typer.main
from typer.testing import CliRunner

from leanformer.cli.app import app
from leanformer.cli.panels import FEWEST_OPTIONS, MAKE, MEASURE, PANELS, USE

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def options(name: str) -> list:
    return [parameter for parameter in COMMANDS[name].params if parameter.param_type_name == "option"]


def test_every_command_stands_in_a_group():
    assert {command.rich_help_panel for command in COMMANDS.values()} == {MAKE, MEASURE, USE}
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "100"}).output
    assert shown.index(MAKE) < shown.index(MEASURE) < shown.index(USE)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_long_commands_have_groups_and_short_ones_one_list(name: str):
    panels = Counter(option.rich_help_panel for option in options(name))
    if len(options(name)) < FEWEST_OPTIONS:
        assert set(panels) <= {None}
    else:
        assert len(panels) > 2
        assert panels[None] <= 7, "too many options in no group"
        assert min(count for panel, count in panels.items() if panel is not None) > 1


def test_every_name_in_a_group_is_an_option_of_a_command():
    names = {parameter.name for command in COMMANDS.values() for parameter in command.params}
    listed = [name for names_of_panel in PANELS.values() for name in names_of_panel]
    assert set(listed) <= names and len(listed) == len(set(listed))


def test_groups_are_shown():
    shown = CliRunner().invoke(app, ["compress", "--help"], env={"COLUMNS": "100"}).output
    assert shown.index(" Data ") < shown.index(" Choosing a model ") < shown.index(" Measuring ")
    assert shown.index(" Choosing a model ") < shown.rindex("--max-drop ") < shown.index(" Measuring ")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_is_explained(name: str):
    assert not [parameter.name for parameter in COMMANDS[name].params if not getattr(parameter, "help", "")]
