"""The Recipe: a list of steps, written as YAML or built in Python, parsed strictly."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from leanformer import catalog
from leanformer.errors import RecipeError
from leanformer.options import options, without_groups
from leanformer.recipe.exportable import check_exportable
from leanformer.step import Curate, Make, Step, named_artifacts

_NAME = re.compile(r"[\w-][\w.-]*")
# YAML 1.1 reads 1e-4 as text, because it has no decimal point.
_EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")
_TEXT = ("str", "FilePath", "ArtifactName")
_STEP_KEYS = ("step", "name", "uses", "rung", "after", "data")
ORIGINAL = "original"  # the data as they were given


@dataclass(frozen=True)
class RecipeStep:
    """One step of a recipe.

    Attributes:
        technique: its name in the catalogue.
        step: the technique with its options.
        name: by which later steps refer to the result; defaults to the technique's name.
        uses: name of the step's input artifact; None means the result of the step before (the teacher, for the first).
        rung: if given, the result is measured as a rung of the ladder under this name.
        after: name of the step whose rung this one is compared with; None means the rung before.
        data: name of the curation whose data set the step reads, or "original"; None means the last curation before it
            (the original data, if there is none).
    """

    technique: str
    step: Step
    name: str
    uses: str | None = None
    rung: str | None = None
    after: str | None = None
    data: str | None = None


@dataclass(frozen=True)
class Recipe:
    """Steps in the order they run. Raises `RecipeError` if names repeat or refer to nothing.

    With `family`, all rungs on the front of dev quality and latency are delivered, not the chosen one alone.
    """

    name: str
    steps: tuple[RecipeStep, ...]
    about: str = ""
    source: str = field(default="", compare=False)
    family: bool = False

    def __post_init__(self) -> None:
        known, curated, rungs = {"teacher"}, {ORIGINAL}, {"teacher": "teacher"}
        if self.opening is not None:
            known = set()
        for step in self.steps:
            if not _NAME.fullmatch(step.name):  # it becomes part of a folder's name
                raise RecipeError(f"recipe {self.name}: {step.name!r} is no name; use letters, digits, - _ and .")
            if step.name in known | curated:
                raise RecipeError(f"recipe {self.name}: two artifacts are called {step.name!r}")
            if step.data is not None and step.data not in curated:
                raise RecipeError(
                    f"recipe {self.name}: step {step.name!r} data {step.data!r}, which is no curation before it; "
                    f"there are {', '.join(sorted(curated))}"
                )
            if isinstance(step.step, Curate) and (step.uses or step.rung or step.after):
                raise RecipeError(
                    f"recipe {self.name}: step {step.name!r} curates data, so it has no `uses:`, `rung:` or `after:`\n"
                    "  remedy: `data:` names the data set that it is given"
                )
            roles = (("uses", step.uses), ("after", step.after), *named_artifacts(step.step).items())
            for role, target in roles:
                if target is not None and target not in known:
                    raise RecipeError(
                        f"recipe {self.name}: step {step.name!r} {role} {target!r}, which is no step before it; "
                        f"there are {', '.join(sorted(known))}"
                    )
            if step.after is not None and step.after not in rungs:
                raise RecipeError(f"recipe {self.name}: step {step.name!r} after {step.after!r}, which has no `rung:`")
            (curated if isinstance(step.step, Curate) else known).add(step.name)
            if step.rung is not None:
                if not step.rung.strip() or step.rung in rungs.values():
                    raise RecipeError(
                        f"recipe {self.name}: step {step.name!r}: the rung {step.rung!r} is blank or taken"
                    )
                rungs[step.name] = step.rung
        if self.family and any(getattr(step.step, "produces", "") == "cascade" for step in self.steps):
            both = "a family and a cascade both keep models in the folder `members`"
            raise RecipeError(f"recipe {self.name}: {both}\n  remedy: leave `family: true` out, or the cascade")
        if not any(step.rung for step in self.steps):
            raise RecipeError(f"recipe {self.name}: no step has a `rung:`, so there would be nothing to choose from")
        check_exportable(self.name, ((step.name, step.uses, step.step) for step in self.steps))

    @property
    def opening(self) -> RecipeStep | None:
        """The step that makes the teacher from an encoder: the first `Make` step, if its name is "teacher"; or None."""
        first = next((step for step in self.steps if isinstance(step.step, Make)), None)
        if first is None or first.name != "teacher":
            return None
        if not first.step.makes_teacher or first.uses or first.rung or first.after:  # type: ignore[attr-defined]
            raise RecipeError(
                f"recipe {self.name}: a first step called 'teacher' makes one of the encoder that the recipe is given; "
                "it must be train.fine_tune, without `uses:`, `rung:` or `after:`"
            )
        return first

    def to_json(self) -> dict[str, Any]:
        steps = [
            {"step": s.technique, "name": s.name, "uses": s.uses, "rung": s.rung, "after": s.after}
            | ({} if s.data is None else {"data": s.data})
            | options(s.step)
            for s in self.steps
        ]
        return {"name": self.name, "steps": steps} | ({"family": True} if self.family else {})

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Recipe:
        """The recipe that `to_json` wrote. Raises `RecipeError` if `value` is not a recipe."""
        where = f"recipe {value.get('name')}"
        steps = []
        for step in value["steps"]:
            options = {key: option for key, option in step.items() if key not in _STEP_KEYS}
            made = build(step["step"], options, f"{where}, step {step['name']!r}")
            roles = (step["uses"], step["rung"], step["after"], step.get("data"))
            steps.append(RecipeStep(step["step"], made, step["name"], *roles))
        return cls(str(value["name"]), tuple(steps), family=bool(value.get("family", False)))

    def with_options(self, changes: Mapping[str, Any]) -> Recipe:
        """A copy with options changed: "step.option" or "step.group.option" -> value.

        Raises `RecipeError` for a step or option that does not exist.
        """
        steps = {step.name: step for step in self.steps}
        for key, value in changes.items():
            name, _, option = key.rpartition(".")
            step, _, group = name.rpartition(".")
            if name not in steps and step in steps:
                name, value = step, {option: value}  # an option by its group: "student.fit.epochs"
            elif name not in steps:
                raise RecipeError(f"recipe {self.name} has no step {name!r}; there are {', '.join(steps)}")
            old, where = steps[name], f"recipe {self.name}, step {name!r}"
            changed = without_groups(type(old.step), {group if name == step else option: value}, where)
            steps[name] = replace(old, step=build(old.technique, {**options(old.step), **changed}, where))
        return replace(self, steps=tuple(steps.values()))


def build(technique: str, values: Mapping[str, Any], where: str) -> Step:
    """The technique with these options. Raises `RecipeError`, naming `where`, for an unknown or invalid option."""
    kind = catalog.load(technique)
    known = {field_.name for field_ in fields(kind)}
    values = without_groups(kind, values, where)
    if unknown := [name for name in values if name not in known]:
        raise RecipeError(
            f"{where}: {technique} has no option {unknown[0]!r}\n  remedy: its options are {', '.join(sorted(known))}"
        )
    typed = {field_.name: str(field_.type) for field_ in fields(kind)}
    given = {name: _number(value, typed[name]) for name, value in values.items()}
    for name, value in given.items():
        if not _fits(value, typed[name]):
            raise RecipeError(f"{where}: {technique}.{name} is {typed[name]}, not {value!r}")
        if (absurd := _absurd(value)) is not None:
            raise RecipeError(
                f"{where}: {technique}.{name}: {absurd} cannot be meant\n"
                f"  remedy: a number between -{_MOST:,} and {_MOST:,}, or leave the option out"
            )
    step: Step = kind(**{name: _tuples(value) for name, value in given.items()})
    return step


def read_recipe(path: Path) -> Recipe:
    """Read a YAML recipe. Raises `RecipeError` with file and line for anything invalid."""
    try:
        text = path.read_text(encoding="utf-8")
        document = yaml.safe_load(text)
        lines = _step_lines(text, path)
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read ({error})") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = "" if mark is None else f", line {mark.line + 1}"
        raise RecipeError(f"{path}{at}: not valid YAML ({getattr(error, 'problem', error)})") from error
    if not isinstance(document, dict) or not isinstance(document.get("steps"), list) or not document["steps"]:
        raise RecipeError(f"{path}: a recipe is a mapping with a list `steps:`")
    if "goals" in document:
        raise RecipeError(f"{path}: a search, for it has goals\n  remedy: leanformer search {path.stem}")
    if unknown := [key for key in document if key not in ("name", "about", "steps", "family")]:
        raise RecipeError(f"{path}: unknown key {unknown[0]!r}; a recipe has name, about, steps and family")
    if not isinstance(family := document.get("family", False), bool):
        raise RecipeError(f"{path}: `family:` is true or false, not {family!r}")
    steps = []
    for entry, line in zip(document["steps"], lines, strict=True):
        where = f"{path}, line {line}"
        if not isinstance(entry, dict) or not isinstance(entry.get("step"), str):
            raise RecipeError(f"{where}: a step is a mapping with `step: TECHNIQUE`")
        values = {key: value for key, value in entry.items() if key not in _STEP_KEYS}
        for key in ("name", "uses", "rung", "after", "data"):
            if not isinstance(entry.get(key, ""), str):
                raise RecipeError(f"{where}: `{key}:` must be text, not {entry[key]!r}")
        try:
            step = build(entry["step"], values, where)
        except RecipeError as error:
            message = str(error)
            raise RecipeError(message if message.startswith(where) else f"{where}: {message}") from error
        roles = (entry.get("uses"), entry.get("rung"), entry.get("after"), entry.get("data"))
        steps.append(RecipeStep(entry["step"], step, str(entry.get("name", entry["step"])), *roles))
    try:
        name, about = str(document.get("name", path.stem)), str(document.get("about", ""))
        return Recipe(name, tuple(steps), about, str(path), family)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error


def _step_lines(text: str, path: Path) -> list[int]:
    """The line on which each step begins, from 1. Raises `RecipeError` for a repeated key."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    refuse_repeats(root, path)
    if isinstance(root, yaml.MappingNode):
        for key, value in root.value:
            if key.value == "steps" and isinstance(value, yaml.SequenceNode):
                return [node.start_mark.line + 1 for node in value.value]
    return []


def refuse_repeats(node: yaml.Node | None, path: Path) -> None:
    """Raise `RecipeError` for a repeated key, where YAML readers silently keep the last."""
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            refuse_repeats(child, path)
    elif isinstance(node, yaml.MappingNode):
        seen: set[Hashable] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise RecipeError(f"{path}, line {key.start_mark.line + 1}: the key {key.value!r} is given twice")
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
            refuse_repeats(value, path)


def _number(value: Any, annotation: str) -> Any:
    """Convert to a number if the option is a number and YAML read text; any other value is returned unchanged."""
    wanted = annotation.split(" | ")
    if isinstance(value, str) and "float" in wanted and "str" not in wanted and _EXPONENT.fullmatch(value.strip()):
        return float(value)
    return value


_MOST = 10**9
"""More than any option can be, and little enough that no library's integers overflow."""


def _absurd(value: Any) -> str | None:
    """The first number in a value that is out of range for any option; None if there is none."""
    if isinstance(value, list | tuple):
        return next((found for item in value if (found := _absurd(item)) is not None), None)
    if isinstance(value, int | float) and not -_MOST <= value <= _MOST:  # NaN too
        return (
            f"{value:.6g}"
            if isinstance(value, float)
            else f"a whole number of some {round(0.3 * value.bit_length())} digits"
        )
    return None


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _fits(value: Any, annotation: str) -> bool:
    """Whether a YAML value fits an option's annotation, such as `int | tuple[int, ...]`."""
    return any(_fits_one(value, part) for part in annotation.split(" | "))


def _fits_one(value: Any, part: str) -> bool:
    if part == "None":
        return value is None
    if part.startswith("tuple["):
        if not isinstance(value, list | tuple):
            return False
        inner = part.removeprefix("tuple[").removesuffix("]")
        if inner.endswith(", ..."):
            return all(_fits_one(item, inner.removesuffix(", ...")) for item in value)
        parts = inner.split(", ")  # our annotations nest no pair in a pair
        return len(parts) == len(value) and all(map(_fits_one, value, parts))
    if isinstance(value, bool):
        return part == "bool"
    if part == "float":
        return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return (part == "int" and isinstance(value, int)) or (part in _TEXT and isinstance(value, str))
