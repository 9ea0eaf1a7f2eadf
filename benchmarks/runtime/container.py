"""The wheel's engine in a root as slim images have, beside the one compiled here: benchmarks/results/container.json.

    python -m benchmarks.runtime.container [ARTIFACT] [--texts 1024] [--rounds 9] [--starts 15]

Both answer the same texts of SST-2's test with all cores, tokenizer included, in processes that take turns. The time
from the start of `leanformer predict ARTIFACT TEXT` to its answer is that of the whole command.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.ladders.run import open_named
from benchmarks.paths import RESULTS, ROOT, WORK
from benchmarks.provenance import provenance, watch
from benchmarks.runtime.interleaved import quartiles
from benchmarks.runtime.slim_root import ARTIFACT, slim_root
from leanformer.files import write_json
from leanformer.runtime.native import shipped

TURNS = 5
# Reads texts from its input, answers them once unmeasured, then several times; the rates go to its output.
PROGRAM = """
import json, sys, time
from pathlib import Path
from leanformer.artifact import open_artifact
from leanformer.loading import open_predictor
from leanformer.predictor import logits
texts = json.load(sys.stdin)
predictor = open_predictor(open_artifact(Path(sys.argv[1])))
told, rates = logits(predictor, texts), []
for _ in range(int(sys.argv[2])):
    begun = time.perf_counter()
    logits(predictor, texts)
    rates.append(len(texts) / (time.perf_counter() - begun))
print(json.dumps({"rates": rates, "logits": told.tobytes().hex(), "engine": predictor.engine}))
"""


def rates(command: list[str], artifact: Path | str, texts: list[str], environment: dict[str, str]) -> dict[str, Any]:
    result = subprocess.run(
        [*command, "-c", PROGRAM, str(artifact), str(TURNS)],
        input=json.dumps(texts), capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    told: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return told


def seconds(command: list[str], artifact: Path | str, text: str, environment: dict[str, str]) -> float:
    """From the start of the command to its end, which is its answer."""
    begun = time.perf_counter()
    subprocess.run(
        [*command, "-m", "leanformer", "predict", str(artifact), text],
        capture_output=True, check=True, env=environment,
    )  # fmt: skip
    return time.perf_counter() - begun


def spread(values: list[float]) -> dict[str, Any]:
    return {"median": median(values), "quartiles": quartiles(values), "rounds": values}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact", nargs="?", type=Path, default=WORK / "sst2" / "lean-fastformers", help="a graph")
    parser.add_argument("--texts", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--starts", type=int, default=15)
    parser.add_argument("--output", type=Path, default=RESULTS / "container.json")
    given = parser.parse_args()
    data = open_named("sst2")
    assert data.test is not None
    texts = list(data.test.texts[: given.texts])
    artifact = given.artifact.resolve()
    here_environment = os.environ | {shipped.VARIABLE: "1"}
    here = [sys.executable]
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        command = [sys.executable, str(ROOT / "hatch_build.py"), "--only", os.uname().machine]
        subprocess.run([*command, "--output", str(scratch)], check=True, capture_output=True)
        zipfile.ZipFile(next(scratch.glob("*.whl"))).extractall(scratch / "wheel")
        (scratch / "root").mkdir()
        there = slim_root(scratch / "root", scratch / "wheel", artifact)
        ways = {
            "compiled here": (here, artifact, here_environment),
            "wheel, slim root": (there, ARTIFACT, dict(os.environ)),
        }
        found: dict[str, list[float]] = {way: [] for way in ways}
        starts: dict[str, list[float]] = {way: [] for way in ways}
        answers: dict[str, tuple[str, str]] = {}
        begun = watch()
        for turn in range(given.rounds):
            for way in ways if turn % 2 == 0 else reversed(ways):
                command, place, environment = ways[way]
                told = rates(command, place, texts, environment)
                found[way].append(median(told["rates"]))
                answers[way] = (told["engine"], told["logits"])
                print(f"round {turn + 1} of {given.rounds}: {way} {found[way][-1]:.0f}/s", flush=True)
        for turn in range(given.starts + 1):
            for way, (command, place, environment) in ways.items():
                if (taken := seconds(command, place, texts[0], environment)) and turn:  # the first reads the disk
                    starts[way].append(taken)
        about = provenance(since=begun)
    ratios = [a / b for a, b in zip(found["wheel, slim root"], found["compiled here"], strict=True)]
    result = {
        "engine": {way: engine for way, (engine, _) in answers.items()},
        "same_bits": len({logits for _, logits in answers.values()}) == 1,
        "texts_per_second": {way: spread(values) for way, values in found.items()},
        "ratio": {"median": median(ratios), "quartiles": quartiles(ratios)},
        "seconds_to_first_answer": {way: spread(values) for way, values in starts.items()},
        "n": len(texts),
    }
    write_json(given.output, result | about)
    print(json.dumps({key: value for key, value in result.items() if key != "texts_per_second"}, indent=1))


if __name__ == "__main__":
    main()
