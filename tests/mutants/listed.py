"""The list of mutants: one mistake each, and the tests that ought to notice it.

A mutant is an entry of a YAML file below `lists/`, one file for each room:

    - id: train.eval_for_train                  # room, then what is wrong
      file: train/loop.py                       # below src/leanformer
      old: together.train()                     # occurs exactly once in the file
      new: together.eval()
      why: dropout never acts, and nothing else would look wrong
      tests: [tests/train/test_loop.py::test_dropout_acts_in_training]

Lines of `old` and `new` after the first are written with the indentation they have in the file.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
LISTS = Path(__file__).with_name("lists")


@dataclass(frozen=True)
class Mutant:
    """One mistake.

    Attributes:
        id: the room and a few words, unique.
        file: below src/leanformer.
        old, new: what stands there exactly once, and what stands there instead.
        why: what the mistake would do to a user.
        tests: arguments of pytest, as narrow as possible; one of them is to fail.
    """

    id: str
    file: str
    old: str
    new: str
    why: str
    tests: tuple[str, ...]

    @property
    def path(self) -> Path:
        """Of the file, below the top of the repository."""
        return Path("src", "leanformer", self.file)

    def applied(self, source: str) -> str:
        """The file with the mistake. Raises `ValueError` where `old` does not stand there exactly once."""
        if (count := source.count(self.old)) != 1:
            raise ValueError(f"{self.id}: {self.file}: `old` occurs {count} times, not once: {self.old!r}")
        return source.replace(self.old, self.new)

    def check(self, root: Path = ROOT) -> None:
        """Raise `ValueError` for an entry that does not fit the sources: rotten, without effect, or without tests."""
        source = (root / self.path).read_text(encoding="utf-8")
        mutated = self.applied(source)
        if self.file.endswith(".py") and ast.dump(ast.parse(source)) == ast.dump(ast.parse(mutated)):
            raise ValueError(f"{self.id}: `new` says the same as `old`")
        if mutated == source:
            raise ValueError(f"{self.id}: `new` is the same as `old`")
        for test in self.tests:
            path, *names = test.split("::")
            text = (root / path).read_text(encoding="utf-8")
            for name in names:
                if f" {name.partition('[')[0]}(" not in text and f"class {name}" not in text:
                    raise ValueError(f"{self.id}: {path} has no test {name}")
        if not self.tests:
            raise ValueError(f"{self.id}: names no test")


def read(folder: Path = LISTS) -> list[Mutant]:
    """All mutants, in the order of the files' names. Raises `ValueError` for an entry that is not one."""
    mutants = [mutant for path in sorted(folder.glob("*.yaml")) for mutant in _read(path)]
    ids = [mutant.id for mutant in mutants]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise ValueError(f"ids that are used twice: {', '.join(twice)}")
    return mutants


def _read(path: Path) -> Iterator[Mutant]:
    names = {field.name for field in fields(Mutant)}
    for number, entry in enumerate(yaml.safe_load(path.read_text(encoding="utf-8")), 1):
        if not isinstance(entry, dict) or entry.keys() != names:
            raise ValueError(f"{path.name}: entry {number} needs exactly {', '.join(sorted(names))}")
        if not entry["id"].startswith(f"{path.stem}."):
            raise ValueError(f"{path.name}: the id {entry['id']!r} does not begin with {path.stem!r}")
        yield Mutant(**{**entry, "tests": tuple(entry["tests"])})
