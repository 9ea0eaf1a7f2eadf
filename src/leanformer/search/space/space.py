"""The space of a search: a recipe in which some values, or whole steps, are open."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from leanformer import catalog
from leanformer.errors import RecipeError
from leanformer.recipe.spec import Recipe, RecipeStep, build
from leanformer.search.space.goals import Goals
from leanformer.search.space.halving import Halving
from leanformer.search.space.holes import Choose, Hole, Range

# Returns a hole's value (for a `Choose`, its label); the second argument is the technique's default.
Pick = Callable[[Hole, Any], Any]
RUNTIME = ("engine", "workers", "pack_tokens")
RESULT = "result"


@dataclass(frozen=True)
class Filled:
    """A recipe without holes, and how its result is run.

    Attributes:
        recipe: its last step makes the model of the trial.
        runtime: some of `RUNTIME`; see `runtime.predictor.LightPredictor`.
        params: hole name -> picked value, in the order of picking.
    """

    recipe: Recipe
    runtime: dict[str, Any]
    params: dict[str, Any]


@dataclass(frozen=True)
class StepTemplate:
    """A step whose option values may be holes. `where` is its file and line."""

    technique: str
    keys: Mapping[str, str]
    values: Mapping[str, Any]
    where: str

    def defaults(self) -> dict[str, Any]:
        return {field_.name: field_.default for field_ in fields(catalog.load(self.technique))}

    def fill(self, pick: Pick) -> RecipeStep:
        defaults = self.defaults()
        values = {name: _filled(value, defaults.get(name), pick) for name, value in self.values.items()}
        step = build(self.technique, values, self.where)
        name = self.keys.get("name", self.technique)
        uses, rung, data = (self.keys.get(key) for key in ("uses", "rung", "data"))
        return RecipeStep(self.technique, step, name, uses, rung, data=data)

    def holes(self) -> list[Hole]:
        return [value for value in self.values.values() if isinstance(value, Choose | Range)]


@dataclass(frozen=True)
class StepChoice:
    """One of several lists of steps, one of which may be empty."""

    hole: Choose
    branches: tuple[tuple[StepTemplate, ...], ...]

    def steps(self, label: Any) -> tuple[StepTemplate, ...]:
        return self.branches[self.hole.labels.index(label)]


@dataclass(frozen=True)
class Predicting:
    """Settings for skipping hopeless shapes: how many shapes are timed first, on this machine."""

    points: int

    def __post_init__(self) -> None:
        if self.points < 1:
            raise RecipeError(f"predictor: points is a number of shapes, 1 or more, not {self.points}")


@dataclass(frozen=True)
class Space:
    """The content of a search file.

    Attributes:
        steps: in order. runtime: option -> value or hole.
        halving: how trials are stopped early; None trains every one in full.
        predicting: None runs every trial.
        document: the file as plain data, which identifies a search.
    """

    name: str
    goals: Goals
    steps: tuple[StepTemplate | StepChoice, ...]
    runtime: Mapping[str, Any]
    halving: Halving | None = None
    predicting: Predicting | None = None
    about: str = ""
    source: str = ""
    document: Mapping[str, Any] | None = None

    def fill(self, pick: Pick) -> Filled:
        """The recipe with every hole filled. Raises `RecipeError` for values that cannot be combined."""
        params: dict[str, Any] = {}

        def noted(hole: Hole, default: Any) -> Any:
            params[hole.name] = pick(hole, default)
            return params[hole.name]

        steps: list[RecipeStep] = []
        for slot in self.steps:
            templates = slot.steps(noted(slot.hole, None)) if isinstance(slot, StepChoice) else (slot,)
            steps += [template.fill(noted) for template in templates]
        runtime = {name: _filled(value, None, noted) for name, value in self.runtime.items()}
        if not steps:
            raise RecipeError(f"{self.source}: with these choices there is no step at all")
        last = steps[-1]
        steps[-1] = replace(last, rung=RESULT, after=None)
        plain = [replace(step, rung=None, after=None) for step in steps[:-1]]
        recipe = Recipe(self.name, (*plain, steps[-1]))
        if recipe.opening is not None:
            raise RecipeError(
                f"{self.source}: a search begins with a fine-tuned model; this one makes its teacher of an encoder\n"
                "  remedy: leave that step out, and make the model by leanformer train"
            )
        return Filled(recipe, runtime, params)

    def of(self, params: Mapping[str, Any]) -> Filled:
        """The recipe for recorded values. Raises `RecipeError` if they are not in this space."""

        def recorded(hole: Hole, default: Any) -> Any:
            if hole.name not in params:
                raise RecipeError(f"{self.source}: the trial says nothing of {hole.name!r}")
            return params[hole.name]

        return self.fill(recorded)

    def start(self) -> dict[str, Any]:
        """The values tried first: the techniques' defaults if the holes contain them."""
        return self.fill(lambda hole, default: hole.start(default)).params

    def grid(self) -> Iterator[dict[str, Any]]:
        """Every combination, in order; continuous ranges at a few points."""
        waiting: list[dict[str, Any]] = [{}]
        while waiting:
            params = waiting.pop()
            found = self._open(params)
            if found is None:
                yield params
            else:
                waiting += [params | {found.name: value} for value in reversed(found.grid())]

    def _open(self, params: Mapping[str, Any]) -> Hole | None:
        """The first hole without a value in `params`."""
        for slot in self.steps:
            if isinstance(slot, StepChoice):
                if slot.hole.name not in params:
                    return slot.hole
                templates = slot.steps(params[slot.hole.name])
            else:
                templates = (slot,)
            for template in templates:
                for hole in template.holes():
                    if hole.name not in params:
                        return hole
        named = (setting for setting in self.runtime.values() if isinstance(setting, Choose | Range))
        return next((setting for setting in named if setting.name not in params), None)

    def holes(self) -> tuple[Hole, ...]:
        """All holes, including those inside choices."""
        found: list[Hole] = []
        for slot in self.steps:
            if isinstance(slot, StepChoice):
                found.append(slot.hole)
            branches = slot.branches if isinstance(slot, StepChoice) else ((slot,),)
            found += [hole for branch in branches for template in branch for hole in template.holes()]
        return (*found, *(setting for setting in self.runtime.values() if isinstance(setting, Choose | Range)))


def _filled(value: Any, default: Any, pick: Pick) -> Any:
    if isinstance(value, Choose):
        return value.option(pick(value, default))
    return value.value(pick(value, default)) if isinstance(value, Range) else value
