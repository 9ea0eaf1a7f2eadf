"""Reading a search: a YAML file with goals and a recipe with holes, parsed strictly, with the place of each error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from leanformer import catalog
from leanformer.errors import RecipeError
from leanformer.options import groups, without_groups
from leanformer.recipe.library import recipe_path
from leanformer.recipe.spec import refuse_repeats
from leanformer.runtime.predictor import ENGINES
from leanformer.search.space.goals import read_goals
from leanformer.search.space.halving import Halving
from leanformer.search.space.holes import Choose, Hole, Range, is_hole, read_hole
from leanformer.search.space.space import RUNTIME, Predicting, Space, StepChoice, StepTemplate

KEYS = ("name", "about", "goals", "halving", "predictor", "runtime", "steps")
_STEP_KEYS = ("name", "uses", "rung", "data")
Place = tuple[str | int, ...]


def find_space(name: str | Path) -> Space:
    """The shipped search called `name`, or the one in the YAML file at that path."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return read_space(path)
    return read_space(recipe_path(str(name), searches=True))


def read_space(path: Path) -> Space:
    """Read a search. Raises `RecipeError` with file and line for anything invalid."""
    document, lines = _load(path)
    reader = _Reader(path, lines)
    if not isinstance(document, dict) or not isinstance(document.get("steps"), list) or not document["steps"]:
        raise RecipeError(f"{path}: a search is a mapping with `goals:` and a list `steps:`")
    if unknown := [key for key in document if key not in KEYS]:
        raise RecipeError(
            f"{reader.at(unknown[0])}: unknown key {unknown[0]!r}\n  remedy: a search has {', '.join(KEYS)}"
        )
    if "goals" not in document:
        raise RecipeError(f"{path}: a search needs `goals:`\n  remedy: goals: {{maximise: quality, minimise: bytes}}")
    steps = tuple(reader.slot(entry, ("steps", i)) for i, entry in enumerate(document["steps"]))
    runtime = reader.runtime(document.get("runtime", {}))
    space = Space(
        name=str(document.get("name", path.stem)),
        goals=read_goals(document["goals"], reader.at("goals")),
        steps=steps,
        runtime=runtime,
        halving=reader.settings("halving", document, Halving),
        predicting=reader.settings("predictor", document, Predicting),
        about=str(document.get("about", "")),
        source=str(path),
        document={key: value for key, value in document.items() if key not in ("name", "about")},
    )
    if not space.holes():
        raise RecipeError(f"{path}: nothing is left open\n  remedy: write choose: or range: where a value stands")
    _try(space)
    return space


def _load(path: Path) -> tuple[Any, dict[Place, int]]:
    """The document, and the line of every value in it."""
    try:
        text = path.read_text(encoding="utf-8")
        document = yaml.safe_load(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read ({error})") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = "" if mark is None else f", line {mark.line + 1}"
        raise RecipeError(f"{path}{at}: not valid YAML ({getattr(error, 'problem', error)})") from error
    refuse_repeats(root, path)
    lines: dict[Place, int] = {}
    _note_lines(root, (), lines)
    return document, lines


def _note_lines(node: yaml.Node | None, place: Place, lines: dict[Place, int]) -> None:
    if node is None:
        return
    lines[place] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for i, child in enumerate(node.value):
            _note_lines(child, (*place, i), lines)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _note_lines(value, (*place, key.value), lines)
            lines[(*place, key.value)] = key.start_mark.line + 1


@dataclass
class _Reader:
    path: Path
    lines: dict[Place, int]
    names: set[str] = field(default_factory=set)

    def at(self, *place: str | int) -> str:
        """File and line of a place in the document."""
        return f"{self.path}, line {self.lines.get(place, 1)}"

    def slot(self, entry: Any, place: Place) -> StepTemplate | StepChoice:
        """A step, or a choice of several: each option is a step, a list of steps, or null for none."""
        if not (isinstance(entry, dict) and "choose" in entry):
            return self.step(entry, place)
        where = self.at(*place)
        named = {key: value for key, value in entry.items() if key != "name"}
        name = entry.get("name", f"step{int(place[-1]) + 1}")
        if not isinstance(name, str):
            raise RecipeError(f"{where}: `name:` must be text, not {name!r}")
        hole = read_hole(self.own(name, where), named, where)
        assert isinstance(hole, Choose)
        branches: list[tuple[StepTemplate, ...]] = []
        for i, option in enumerate(hole.options):
            inside = (*place, "choose", i)
            if option is None:
                branches.append(())
            elif isinstance(option, list):
                branches.append(tuple(self.step(step, (*inside, j)) for j, step in enumerate(option)))
            else:
                branches.append((self.step(option, inside),))
        return StepChoice(hole, tuple(branches))

    def step(self, entry: Any, place: Place) -> StepTemplate:
        where = self.at(*place)
        if not isinstance(entry, dict) or not isinstance(entry.get("step"), str):
            raise RecipeError(f"{where}: a step is a mapping with `step: TECHNIQUE`")
        technique = entry["step"]
        keys = {key: entry[key] for key in _STEP_KEYS if key in entry}
        if wrong := [key for key, value in keys.items() if not isinstance(value, str)]:
            raise RecipeError(f"{where}: `{wrong[0]}:` must be text, not {keys[wrong[0]]!r}")
        called = keys.get("name", technique)
        values = {
            key: self.value(f"{called}.{key}", value, place, technique)
            for key, value, place in _in_groups(entry, place, where)
            if key not in ("step", *_STEP_KEYS)
        }
        template = StepTemplate(technique, keys, values, where)
        self.check(template)
        return template

    def value(self, name: str, value: Any, place: Place, technique: str = "") -> Any:
        if is_hole(value):
            hole = read_hole(self.own(name, self.at(*place), technique), value, self.at(*place))
            if any(_holds_hole(option) for option in getattr(hole, "options", ())):
                raise RecipeError(f"{hole.where}: a hole within a hole; only whole steps may be chosen with holes")
            return hole
        if _holds_hole(value):
            raise RecipeError(
                f"{self.at(*place)}: `choose:` and `range:` stand for a whole value, not for a part of it"
            )
        return value

    def own(self, name: str, where: str, technique: str = "") -> str:
        """A name that no other hole has: steps of two branches may have the same name."""
        if name in self.names and technique:
            name = f"{name} of {technique}"
        if name in self.names:
            raise RecipeError(f"{where}: two holes are called {name!r}\n  remedy: give the steps names of their own")
        self.names.add(name)
        return name

    def check(self, template: StepTemplate) -> None:
        """Try every value of every hole, with the others at their start. Raises `RecipeError` with the hole's place."""
        try:
            template.fill(lambda hole, default: hole.start(default))
        except RecipeError as error:
            raise RecipeError(f"{template.where}: {str(error).removeprefix(f'{template.where}: ')}") from error
        for tried in template.holes():
            for value in tried.labels if isinstance(tried, Choose) else (tried.low, tried.high):

                def pick(hole: Hole, default: Any, tried: Hole = tried, value: Any = value) -> Any:
                    return value if hole is tried else hole.start(default)

                try:
                    template.fill(pick)
                except RecipeError as error:
                    message = str(error).removeprefix(f"{template.where}: ")
                    raise RecipeError(f"{tried.where}: {tried.name}: {message}") from error

    def runtime(self, value: Any) -> dict[str, Any]:
        where = self.at("runtime")
        if not isinstance(value, dict) or (unknown := [key for key in value if key not in RUNTIME]):
            named = "" if not isinstance(value, dict) else f" has no {unknown[0]!r}"
            raise RecipeError(f"{where}: `runtime:`{named}\n  remedy: a mapping with {', '.join(RUNTIME)}")
        found = {key: self.value(f"runtime.{key}", setting, ("runtime", key)) for key, setting in value.items()}
        for key, setting in found.items():
            for option in (
                setting.options
                if isinstance(setting, Choose)
                else setting.grid()
                if isinstance(setting, Range)
                else [setting]
            ):
                fits = option in ENGINES if key == "engine" else type(option) is int and option >= 1
                if not fits and not (option is None and key != "engine"):
                    right = f"one of {', '.join(ENGINES)}" if key == "engine" else "a whole number of 1 or more"
                    raise RecipeError(f"{self.at('runtime', key)}: runtime.{key} is {right}, not {option!r}")
        return found

    def settings(self, key: str, document: dict[str, Any], kind: type[Any]) -> Any:
        """`halving:` or `predictor:`, None if it is not given."""
        value, where = document.get(key), self.at(key)
        if value is None:
            return None
        known = kind.__dataclass_fields__
        if not isinstance(value, dict) or any(name not in known for name in value):
            raise RecipeError(f"{where}: `{key}:` is a mapping with {', '.join(known)}")
        for name, option in value.items():
            wanted = {"str": str, "int": int, "float": (int, float)}[known[name].type]
            if not isinstance(option, wanted) or isinstance(option, bool):  # type: ignore[arg-type]
                raise RecipeError(f"{where}: {key}.{name} is {known[name].type}, not {option!r}")
        try:
            return kind(**value)
        except (RecipeError, TypeError) as error:
            raise RecipeError(f"{where}: {error}") from error


def _in_groups(entry: dict[str, Any], place: Place, where: str) -> Iterator[tuple[str, Any, Place]]:
    """Key, value and place of each option, including those inside a group such as `fit: {epochs: ...}`."""
    try:
        kind = catalog.load(entry["step"])
    except RecipeError as error:
        raise RecipeError(f"{where}: {error}") from error
    grouped = groups(kind)
    for key, value in without_groups(kind, entry, where).items():
        yield key, value, (*place, key) if key in entry else (*place, grouped[key], key)


def _holds_hole(value: Any) -> bool:
    if is_hole(value):
        return True
    parts: Sequence[Any] = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_holds_hole(part) for part in parts)


def _try(space: Space) -> None:
    """Try every branch of every choice, the others at their start, to find undefined names. Raises `RecipeError`."""
    for slot in space.steps:
        for label in slot.hole.labels if isinstance(slot, StepChoice) else ():
            hole = slot.hole  # type: ignore[union-attr]
            try:
                space.fill(
                    lambda asked, default, hole=hole, label=label: label if asked is hole else asked.start(default)  # type: ignore[misc]
                )
            except RecipeError as error:
                raise RecipeError(f"{hole.where}: with {hole.name}={label}: {error}") from error
    try:
        space.start()
    except RecipeError as error:
        raise RecipeError(f"{space.source}: {error}") from error
