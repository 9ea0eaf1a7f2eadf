"""Whether the tests notice: each mutant of the list in a copy of the tree, under the tests that it names.

    python -m tests.mutants.run
    python -m tests.mutants.run --only train.eval_for_train
    python -m tests.mutants.run --first 20 --count 10

All these tests are run once without a mistake, and have to pass then. The working tree is never touched.
Results are stored one by one in benchmarks/results/mutants.json, with the commit; an entry is run again where it, its
source file or its test files have changed since, or with --again. Ends with 1 where a mutant was not noticed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.paths import RESULTS, commit
from leanformer.files import sha256_json, write_json
from tests.mutants.listed import ROOT, Mutant, read

RESULT = RESULTS / "mutants.json"
# A mistake may make a loop endless; the tests that one mutant names take nowhere near as long.
SECONDS = 300
# What most tests load, and what takes the longest.
LIBRARIES = (
    "numpy",
    "torch",
    "safetensors.torch",
    "tokenizers",
    "onnx",
    "onnxruntime",
    "hypothesis",
    "pytest",
    "xdist",
)
say_now = partial(print, flush=True)
_PASSED, _FAILED, _INTERRUPTED = 0, 1, 2


def fingerprint(mutant: Mutant, root: Path = ROOT) -> str:
    """Changes with the entry, the file that it changes, and the test files that it names."""
    files = [mutant.path, *sorted({Path(test.partition("::")[0]) for test in mutant.tests})]
    texts = [(root / path).read_text(encoding="utf-8") for path in files if (root / path).is_file()]
    return sha256_json([mutant.id, mutant.file, mutant.old, mutant.new, list(mutant.tests), texts])[:12]


class Copy:
    """A copy of the tree, without what git ignores, in which tests are run on mutated sources.

    Args:
        libraries: loaded once for all runs, see `tests.mutants.server`.
    """

    def __init__(self, folder: Path, root: Path = ROOT, libraries: Sequence[str] = ()) -> None:
        self.root, self._cache, self._output = folder / "tree", folder / "cache", folder / "output"
        shown = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root, capture_output=True, text=True, check=True,
        )  # fmt: skip
        for name in filter(None, shown.stdout.split("\0")):
            if (root / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / name, self.root / name)
        paths = f"{self.root / 'src'}{os.pathsep}{self.root}"
        self._server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("server.py")), *libraries],
            cwd=self.root, env={**os.environ, "PYTHONPATH": paths, "HF_HUB_OFFLINE": "1"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Copy:
        return self

    def __exit__(self, *error: object) -> None:
        self._server.communicate()  # it ends with its input

    def notices(self, mutant: Mutant) -> str | None:
        """The first test that fails with this mistake, or what else happened; None where all pass."""
        path = self.root / mutant.path
        source = path.read_text(encoding="utf-8")
        try:
            self._write(path, mutant.applied(source))
            return self.failing(mutant.tests, own_cache=path.suffix != ".py")
        finally:
            self._write(path, source)
            shutil.rmtree(self._cache, ignore_errors=True)

    def failing(self, tests: Sequence[str], *, own_cache: bool = False, seconds: float = SECONDS) -> str | None:
        """The first of `tests` that fails; None where all pass. Raises `RuntimeError` where they cannot be run.

        `own_cache`: the engine is compiled into a folder that is used for this run only.
        """
        job = {
            "arguments": ["-x", "-n", "0", "-rfE", "--tb=line", "-p", "no:cacheprovider", *tests],
            "environment": {"LEANFORMER_CACHE": str(self._cache)} if own_cache else {},
            "output": str(self._output), "seconds": seconds,
        }  # fmt: skip
        assert self._server.stdin is not None and self._server.stdout is not None
        print(json.dumps(job), file=self._server.stdin, flush=True)
        code = json.loads(self._server.stdout.readline())["code"]
        said = self._output.read_text(encoding="utf-8", errors="replace")
        if code is None:
            return f"no end within {seconds:.0f} s"
        if code < 0:
            return f"ended by signal {-code}"
        if code == _PASSED:
            if not re.search(r"\b[1-9]\d* passed", said):
                raise RuntimeError(f"no test ran: {' '.join(tests)}\n{said[-2000:]}")
            return None
        found = re.search(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
        if found and code in (_FAILED, _INTERRUPTED):
            return found[1]
        raise RuntimeError(f"pytest ended with {code}: {' '.join(tests)}\n{said[-2000:]}")

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        # Bytecode is known by time and size of its source, which two mutants may share.
        if path.suffix == ".py":
            Path(importlib.util.cache_from_source(path)).unlink(missing_ok=True)


def run(mutants: Sequence[Mutant], copy: Copy, result: Path, say: Callable[[str], None] = say_now) -> list[str]:
    """Run mutants and store what came of each as it comes; the ids of those that no test noticed.

    Raises `RuntimeError` where a named test fails without any mistake.
    """
    stored = {row["id"]: row for row in json.loads(result.read_text())} if result.is_file() else {}
    known, at = {mutant.id for mutant in (*read(), *mutants)}, commit()
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    say(f"{len(tests)} tests and files of tests, without a mistake")
    if tests and (wrong := copy.failing(tests, seconds=len(tests) * SECONDS)) is not None:
        raise RuntimeError(f"{wrong} fails without a mistake too")
    for number, mutant in enumerate(mutants, 1):
        by = copy.notices(mutant)
        row: dict[str, Any] = {"id": mutant.id, "noticed": by is not None, "by": by}
        stored[mutant.id] = row | {"of": fingerprint(mutant, copy.root), "commit": at}
        write_json(result, [stored[name] for name in sorted(stored.keys() & known)])
        say(f"[{number}/{len(mutants)}] {mutant.id}: {f'noticed by {by}' if by else 'NOT NOTICED'}")
    return [mutant.id for mutant in mutants if not stored[mutant.id]["noticed"]]


def due(mutants: Sequence[Mutant], result: Path) -> list[Mutant]:
    """Those without a result, or whose result is of another entry, source or test."""
    stored = {row["id"]: row["of"] for row in json.loads(result.read_text())} if result.is_file() else {}
    return [mutant for mutant in mutants if stored.get(mutant.id) != fingerprint(mutant)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="ID", help="ids, or rooms such as `train`")
    parser.add_argument("--first", type=int, default=0, help="number of the first one, from 0")
    parser.add_argument("--count", type=int, help="how many; all by default")
    parser.add_argument("--again", action="store_true", help="also those that have a result")
    parser.add_argument("--list", action="store_true", help="only say which would be run")
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    mutants = read()
    if unknown := [name for name in arguments.only if not any(_is(mutant, name) for mutant in mutants)]:
        parser.error(f"no mutant or room is called {', '.join(unknown)}")
    if arguments.only:
        mutants = [mutant for mutant in mutants if any(_is(mutant, name) for name in arguments.only)]
    last = None if arguments.count is None else arguments.first + arguments.count
    mutants = mutants[arguments.first : last]
    for mutant in mutants:
        mutant.check()
    wanted = mutants if arguments.again else due(mutants, arguments.output)
    if arguments.list:
        print("\n".join(mutant.id for mutant in wanted))
        return 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, Copy(Path(folder), libraries=LIBRARIES) as copy:
        missed = run(wanted, copy, arguments.output)
    print(f"{len(wanted) - len(missed)} of {len(wanted)} noticed", *missed, sep="\n  ")
    return 1 if missed else 0


def _is(mutant: Mutant, name: str) -> bool:
    return mutant.id == name or mutant.id.startswith(f"{name}.")


if __name__ == "__main__":
    sys.exit(main())
