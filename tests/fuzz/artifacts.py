"""Mutated artifacts through every command that reads one: `python -m tests.fuzz.artifacts --count 10000 --seed 0`.

Each case is a whole artifact with a change or two (`mutations`), its hashes made right again in most cases. Commands
run in a process that may die of them. Good are an answer of finite numbers, and an error with a remedy; all else is a
finding: a traceback, an error without a remedy, answers that are not finite, a crash, and what takes too long.

With --sanitized the native engine is compiled with AddressSanitizer and UBSan, and runs each case of its formats.
Case N of a seed is always the same: --first N --count 1 --keep FOLDER makes it again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leanformer.machine import fingerprint
from tests.fuzz.hashes import repair
from tests.fuzz.mutations import mutate
from tests.fuzz.seeds import make_seeds
from tests.making.tiny import LABELS

SECONDS = 120.0
"""For all commands on one case; on a busy machine most of it is waiting."""
# Kinds of artifacts that a command takes; those that take none of a kind say so, which is an outcome as well.
_SELDOM = ("bench", "gate", "cascade", "tune", "export onnx", "export transformers", "report", "compress")
_TEXTS = ["a song of the band", "goal match team", "rain", "a", "ab " * 30, "é ﷺ 中文 \U0001f600 naïve", "song\tx!?.,"]


class Worker:
    """A process that runs jobs, begun again when it dies or is stopped."""

    def __init__(self, environment: dict[str, str] | None) -> None:
        self._environment, self._process = environment, None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115

    def ask(self, runs: list[list[str]]) -> list[dict[str, str]]:
        """The outcome of each run; of a process that died or took too long one for all of them."""
        if self._process is None:
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.fuzz.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=self._errors, env=self._environment, text=True,
            )  # fmt: skip
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            print(json.dumps({"runs": runs}), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            return [self._died()]
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(SECONDS):
                self.stop()
                return [{"outcome": "too long", "said": f"{SECONDS:.0f} s", "key": "too long"}]
        line = self._process.stdout.readline()
        return json.loads(line) if line else [self._died()]

    def _died(self) -> dict[str, str]:
        assert self._process is not None
        status = self._process.wait()
        self._process = None
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace")
        return {"outcome": "crash", "said": f"status {status}: {said[-4000:]}", "key": f"crash {status}"}

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@dataclass
class Summary:
    """Counts of cases and of outcomes, and the findings."""

    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    commands: Counter[str] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    findings: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "cases": self.cases,
            "outcomes": dict(sorted(self.outcomes.items())),
            "commands": dict(sorted(self.commands.items())),
            "artifacts": dict(sorted(self.formats.items())),
            "findings": self.findings,
        }


def write_inputs(folder: Path) -> None:
    """Texts and labelled data of each kind, for the commands that want some."""
    pairs = [{"text": text, "text_pair": "the team"} for text in _TEXTS]
    _lines(folder / "texts.jsonl", [{"text": text} for text in _TEXTS])
    _lines(folder / "pairs.jsonl", pairs)
    rows = [{"text": f"{_TEXTS[i % 3]} {i}", "label": LABELS[i % 3]} for i in range(40)]
    for split in ("train", "dev", "test"):
        _lines(folder / "data" / f"{split}.jsonl", [row | {"text": f"{split} {row['text']}"} for row in rows])


def _lines(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def runs_of(
    name: str, case: Path, folder: Path, seeds: dict[str, Path], draw: random.Random, seldom: float, sanitized: bool
) -> list[list[str]]:
    """The commands to run on a case: always those that answer texts, and now and then one of the others."""
    texts = str(folder / ("pairs.jsonl" if "similarity" in name else "texts.jsonl"))
    where = str(case)
    if sanitized:
        return [["native", where], ["engine", where, "native", texts]]
    runs = [["predict", where, "--input", texts, "--threads", "1"]]
    if draw.random() < 0.3:
        runs.append(["inspect", where])
    if "int8" in name or "fp32" in name:
        runs.append(["engine", where, "onnxruntime", texts])
    if draw.random() < 0.3:
        runs.append(["serve-worker", where, texts])
    if draw.random() < seldom:
        runs.append(_seldom_run(draw.choice(_SELDOM), where, folder, seeds, draw))
    return runs


def _seldom_run(command: str, case: str, folder: Path, seeds: dict[str, Path], draw: random.Random) -> list[str]:
    data, out = str(folder / "data"), str(folder / "out" / "x")
    whole = str(seeds["onnx int8"])
    few = ["--rounds", "1", "--no-memory", "--threads", "1"]
    return {
        "bench": ["bench", case, "--data", data, *few],
        "gate": ["gate", *draw.choice([[case, "--against", whole], [whole, "--against", case]]), "--data", data],
        "cascade": ["cascade", *draw.choice([[case, whole], [whole, case]]), "--data", data, "--output", out],
        "tune": ["tune", case, "--data", data, "--seconds", "1", "--threads", "1"],
        "export onnx": ["export", case, "--output", f"{out}.onnx"],
        "export transformers": ["export", case, "--to", "transformers", "--output", out],
        "report": ["report", case, "--output", f"{out}.html"],
        "compress": ["compress", case, "--data", data, "--recipe", "quick", "--output", out, *few],
    }[command]


def fuzz(
    count: int, seed: int, folder: Path, *, first: int = 0, sanitized: bool = False, few: bool = False,
    seconds: float | None = None, keep: Path | None = None, seldom: float = 0.03, say: Any = None,
) -> Summary:  # fmt: skip
    """Make and run the cases `first` to `first + count` of a seed, or as many as there is time for.

    Args:
        folder: an empty one to work in.
        few: mutate classifiers alone, which are made sooner.
        keep: where the cases with findings are kept.
    """
    seeds = make_seeds(folder / "seeds", few=few)
    write_inputs(folder)
    environment = None
    if sanitized:
        from tests.making.sanitized import sanitized_environment

        environment = sanitized_environment()
    names = sorted(name for name in seeds if not sanitized or "int8" in name)
    worker, summary, begun = Worker(environment), Summary(), time.monotonic()
    try:
        for number in range(first, first + count):
            if seconds is not None and time.monotonic() - begun > seconds:
                break
            draw = random.Random(f"{seed} {number}")
            name, case = draw.choice(names), folder / "case"
            for old in (case, folder / "out"):
                shutil.rmtree(old, ignore_errors=True)
            (folder / "out").mkdir()
            shutil.copytree(seeds[name], case)
            said = mutate(case, draw, graphs=sanitized)
            if draw.random() < 0.93:
                repair(case)
            runs = runs_of(name, case, folder, seeds, draw, seldom, sanitized)
            outcomes = worker.ask(runs)
            before = len(summary.findings)
            _take(summary, number, name, said, runs, outcomes)
            for finding in summary.findings[before:]:
                if say is not None:
                    say(json.dumps(finding))
            if keep is not None and any(outcome["outcome"] not in ("answer", "error") for outcome in outcomes):
                shutil.copytree(case, keep / str(number), symlinks=True, dirs_exist_ok=True)
            if say is not None and (number + 1 - first) % 100 == 0:
                say(f"{number + 1 - first} cases, {len(summary.findings)} findings")
    finally:
        worker.stop()
    return summary


def _take(
    summary: Summary, number: int, name: str, said: str, runs: list[list[str]], outcomes: list[dict[str, str]]
) -> None:
    summary.cases += 1
    summary.formats[name] += 1
    for index, outcome in enumerate(outcomes):
        command = runs[index][0] if len(outcomes) == len(runs) else "a process"
        summary.outcomes[outcome["outcome"]] += 1
        summary.commands[command] += 1
        if outcome["outcome"] not in ("answer", "error"):
            summary.findings.append({"case": number, "artifact": name, "change": said, "command": command, **outcome})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="cases")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--seconds", type=float, help="stop after so long")
    parser.add_argument("--sanitized", action="store_true", help="the native engine under AddressSanitizer and UBSan")
    parser.add_argument("--keep", type=Path, help="folder for the cases that were found")
    parser.add_argument("--output", type=Path, help="JSON file for the summary")
    given = parser.parse_args()
    # Nothing here may reach for a network, and one thread is enough for models of this size.
    os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="leanformer-fuzz-") as scratch:
        summary = fuzz(
            given.count, given.seed, Path(scratch), first=given.first, sanitized=given.sanitized,
            seconds=given.seconds, keep=given.keep, say=lambda line: print(line, file=sys.stderr, flush=True),
        )  # fmt: skip
    record = {
        "what": "mutated artifacts through the commands that read them",
        "command": f"python -m tests.fuzz.artifacts --count {given.count} --seed {given.seed}"
        + (f" --first {given.first}" if given.first else "") + " --sanitized" * given.sanitized,
        "seed": given.seed,
        "sanitized": given.sanitized,
        "seconds": round(time.monotonic() - begun),
        "machine": fingerprint(1),
        **summary.to_json(),
    }  # fmt: skip
    text = json.dumps(record, indent=1)
    if given.output is not None:
        given.output.write_text(text + "\n", encoding="utf-8")
    print(json.dumps({key: record[key] for key in ("cases", "outcomes", "commands", "artifacts")}, indent=1))
    for key, times in Counter(f"{finding['outcome']}: {finding['key']}" for finding in summary.findings).most_common():
        print(f"{times:6}  {key}")
    sys.exit(1 if summary.findings else 0)


if __name__ == "__main__":
    main()
