"""Options of a technique: fields of frozen dataclasses, partly in groups shared by techniques, with common checks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import MISSING, field, fields
from typing import Any, ClassVar, TypeAlias

from leanformer.errors import RecipeError

FilePath: TypeAlias = str  # an option that names a file or folder of the user's
ArtifactName: TypeAlias = str  # an option that names another artifact of the recipe


def later() -> Any:
    """An option, null by default, that earlier versions lacked. While it is null, records and keys are theirs."""
    return field(default=None, metadata={"later": True})


class Options:
    """Base of techniques and of groups of options: checks of values, with the same messages for all techniques.

    A group is a frozen dataclass with a name (`group`) from which techniques inherit; they may redeclare an option with
    another default. In a recipe its options may be given directly or under the group's name: `epochs: 3` and `fit:
    {epochs: 3}` are equivalent. They are stored flat.

    The checks raise `RecipeError`; an option that is None passes them.
    """

    technique: ClassVar[str]

    def __post_init__(self) -> None:
        """End of the chain: each class checks its options and then calls the next class."""

    def need(self, holds: bool, what: str) -> None:
        if not holds:
            raise RecipeError(f"{self.technique}: {what}")

    def at_least(self, least: float, *names: str) -> None:
        for name, value in self._given(names):
            self.need(value >= least, f"{name} must be at least {least}, not {value}")

    def above(self, bound: float, *names: str) -> None:
        for name, value in self._given(names):
            self.need(value > bound, f"{name} must be above {bound}, not {value}")

    def share(self, *names: str) -> None:
        for name, value in self._given(names):
            self.need(0 <= value <= 1, f"{name} is a share from 0 to 1, not {value}")

    def share_below_one(self, *names: str) -> None:
        for name, value in self._given(names):
            self.need(0 <= value < 1, f"{name} is a share from 0 to below 1, not {value}")

    def one_of(self, name: str, values: Collection[str]) -> None:
        for _, value in self._given([name]):
            self.need(value in values, f"{name} is one of {', '.join(values)}, not {value!r}")

    def _given(self, names: Collection[str]) -> list[tuple[str, Any]]:
        return [(name, value) for name in names if (value := getattr(self, name)) is not None]


def options(step: Any) -> dict[str, Any]:
    """The options of a step as plain JSON values, with defaults, but without `later` options that are None."""
    return {
        option.name: _plain(value)
        for option in fields(step)
        if (value := getattr(step, option.name)) is not None or not option.metadata.get("later")
    }


def defaults(step: Any) -> dict[str, Any]:
    """The defaults of a step's options as plain JSON values; required and `later` options are left out."""
    usual: dict[str, Any] = {}
    for option in fields(step):
        if option.metadata.get("later"):
            continue
        if option.default is not MISSING:
            usual[option.name] = _plain(option.default)
        elif option.default_factory is not MISSING:
            usual[option.name] = _plain(option.default_factory())
    return usual


def options_of_type(step: Any, name: str) -> list[str]:
    """The options of a step, or of its class, with `name` among the types of their annotation."""
    return [option.name for option in fields(step) if name in str(option.type).split(" | ")]


def groups(kind: type[Any]) -> dict[str, str]:
    """Option -> its group; options without a group are left out."""
    grouped: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if group := vars(base).get("group"):
            grouped |= {option.name: group for option in fields(base) if option.name not in grouped}
    return grouped


def without_groups(kind: type[Any], values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The values with those of groups, such as `fit: {epochs: 3}`, moved to the top level.

    Raises `RecipeError`, naming `where`, for an option that is not in its group, or is given twice.
    """
    grouped, flat = groups(kind), dict[str, Any]()
    for key, value in values.items():
        inside = {key: value}
        if key in grouped.values() and key not in {option.name for option in fields(kind)}:
            members = [name for name, group in grouped.items() if group == key]
            if not isinstance(value, Mapping) or (unknown := [name for name in value if name not in members]):
                named = " is no mapping" if not isinstance(value, Mapping) else f" has no {unknown[0]!r}"
                raise RecipeError(
                    f"{where}: {kind.technique}: `{key}:`{named}\n  remedy: a mapping with {', '.join(members)}"
                )
            inside = dict(value)
        for name, option in inside.items():
            if name in flat:
                raise RecipeError(f"{where}: {kind.technique}: {name} is given twice, once in `{grouped[name]}:`")
            flat[name] = option
    return flat


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return value
