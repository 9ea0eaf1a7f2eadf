"""The same files on a CPU without AVX-512, by emulation: benchmarks/results/other_cpu.json.

    python -m benchmarks.runtime.other_cpu [--qemu PROGRAM] [--cpu Haswell] [--texts 200] [--teacher FOLDER] [--jobs 1]

200 dev texts of SST-2, by every engine that runs, in fp32 and in int8 (also with 7-bit weights, `reduce_range`): the
probabilities that Debian's qemu-user gives on another CPU are compared with those of this one. Nothing here is timed;
an emulated text takes about a second. What is done is kept in benchmarks/work/other_cpu, so a killed run goes on.

Without int8 dot products 8-bit products overflow in both engines' usual kernels; ours are told to avoid that. Rows with
`guarded: false` show the answers without those settings, and are there to stray.

The emulator answers CPUID for the engines, but /proc/cpuinfo still shows the host, so the child is told its flags.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.paths import RESULTS, ROOT, WORK
from benchmarks.provenance import provenance
from benchmarks.runtime.deviations import FP32_BOUND, INT8_BOUND, deviation
from leanformer import machine
from leanformer.artifact import Artifact, open_artifact
from leanformer.files import sha256_json, write_json
from leanformer.metrics.probabilities import softmax
from leanformer.predictor import logits
from leanformer.runtime.engines import openvino_engine
from leanformer.runtime.engines.engine import OnnxEngine
from leanformer.runtime.predictor import ENGINES, LightPredictor

# Engines that we keep from overflowing.
GUARDED = ("onnxruntime", "openvino")
# Flags of /proc/cpuinfo and the name under which numpy, which asks the CPU itself, knows them.
FLAGS = {"avx2": "AVX2", "avx512f": "AVX512F", "avx512_vnni": "AVX512_CLX"}
# What TCG does not emulate and would warn about at every start.
NOT_EMULATED = ("pcid", "x2apic", "tsc-deadline", "hle", "invpcid", "rtm")
NO_QEMU = (
    "no qemu for x86-64 programs was found, so nothing can be said about other CPUs\n"
    "  remedy: apt-get install qemu-user-static, or, without root, apt-get download qemu-user-static, "
    "dpkg -x qemu-user-static_*.deb FOLDER and --qemu FOLDER/usr/bin/qemu-x86_64-static"
)


def drop_guards() -> None:
    """Engines as they come: let 8-bit products overflow where the CPU has no instruction that holds them."""
    OnnxEngine.ENTRIES.pop("session.x64quantprecision")
    openvino_engine.saturates = lambda flags: False


def answer(artifact: str, engine: str, texts: str, output: str, guard: str = "guarded") -> None:
    """In the child: probabilities of all texts, what this CPU really has, and what the predictor said about it."""
    from numpy._core._multiarray_umath import __cpu_features__ as has

    flags = [flag for flag, name in FLAGS.items() if has[name]]
    machine._cpuinfo = lambda: {"flags": " ".join(flags)}
    if guard == "unguarded":
        drop_guards()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        predictor = LightPredictor(open_artifact(artifact), threads=1, engine=engine)
        values = logits(predictor, json.loads(Path(texts).read_text(encoding="utf-8")))
    write_json(
        Path(output),
        {
            "flags": flags,
            "warned": any("checked on a CPU" in str(warning.message) for warning in said),
            "probabilities": softmax(values.astype(np.float64)).tolist(),
        },
    )


def answers(
    emulator: list[str], artifact: Artifact, engine: str, texts: Path, output: Path, guard: str = "guarded"
) -> dict[str, Any]:
    """What a child gives, under `emulator` or on this CPU (`[]`); its error where it fails."""
    if not output.is_file():
        command = [*emulator, sys.executable, "-m", "benchmarks.runtime.other_cpu", "--answer"]
        child = subprocess.run(
            [*command, str(artifact.path), engine, str(texts), str(output), guard],
            capture_output=True, text=True, check=False, cwd=ROOT,
        )  # fmt: skip
        if child.returncode:
            lines = child.stderr.strip().splitlines() or [f"exit status {child.returncode}"]
            return {"error": next((line for line in lines if "Error: " in line), lines[-1])}
    return dict(json.loads(output.read_text(encoding="utf-8")))


def compared(kind: str, engine: str, here: dict[str, Any], there: dict[str, Any]) -> dict[str, Any]:
    """One row of the result."""
    row: dict[str, Any] = {"precision": kind, "engine": engine}
    for place, reply in (("here", here), ("there", there)):
        if "error" in reply:
            return row | {"failed": place, "error": reply["error"]}
    bound = FP32_BOUND if kind == "fp32" else INT8_BOUND
    values = [np.array(reply["probabilities"]) for reply in (there, here)]
    return row | deviation(*values, bound) | {"warned": there["warned"]}


def graphs(teacher: Artifact, work: Path) -> dict[str, Artifact]:
    """fp32, every kind of int8, and int8 with 7-bit weights; made once."""
    from benchmarks.ladders.run import open_named
    from benchmarks.runtime.our_engines import graphs_of

    made: dict[str, Artifact] = {}
    for name, options in (("8 bit", {}), ("7 bit", {"reduce_range": True})):
        folder = work / name
        if not (folder / "done").is_file():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            graphs_of(teacher, open_named("sst2"), folder, ("mixed", "per_token"), **options)
            (folder / "done").touch()
        made |= {"fp32": open_artifact(folder / "fp32")} | {
            f"int8 {method}, {name} weights": open_artifact(folder / method) for method in ("mixed", "per_token")
        }
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qemu", help="the emulator; default: qemu-x86_64-static or qemu-x86_64 of the path")
    parser.add_argument("--cpu", default="Haswell", help="a CPU that the emulator knows, without AVX-512")
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=1, help="children at the same time")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="these engines alone")
    parser.add_argument("--teacher", type=Path, help="an encoder artifact to use instead of the ladder's")
    parser.add_argument("--output", type=Path, default=RESULTS / "other_cpu.json")
    arguments = parser.parse_args()
    qemu = arguments.qemu or shutil.which("qemu-x86_64-static") or shutil.which("qemu-x86_64")
    if not qemu or not shutil.which(qemu):
        sys.exit(f"error: {NO_QEMU}")
    from benchmarks.ladders.run import open_named, teacher_of

    data = open_named("sst2")
    assert data.dev is not None
    teacher = open_artifact(arguments.teacher) if arguments.teacher else teacher_of("sst2", data)
    chosen = np.random.default_rng(13).permutation(len(data.dev))[: arguments.texts]
    sample = [data.dev.texts[i] for i in chosen]
    work = WORK / "other_cpu" / sha256_json([teacher.content_hash, arguments.cpu, sample])[:16]
    made = graphs(teacher, work)
    texts = work / "texts.json"
    write_json(texts, sample)
    emulator = [qemu, "-cpu", ",".join([arguments.cpu, *(f"-{feature}" for feature in NOT_EMULATED)])]

    def one(case: tuple[str, str, bool]) -> dict[str, Any]:
        kind, engine, guarded = case
        guard = "guarded" if guarded else "unguarded"
        name = f"{kind}, {engine}"
        here = answers([], made[kind], engine, texts, work / f"{name}, here.json")
        there = answers(emulator, made[kind], engine, texts, work / f"{name}, there, {guard}.json", guard)
        row = compared(kind, engine, here, there) | {"guarded": guarded, "flags": there.get("flags")}
        print(json.dumps(row), flush=True)
        return row

    engines = arguments.engine or ENGINES
    cases = [(kind, engine, True) for engine in engines for kind in made]
    cases += [(kind, engine, False) for engine in engines if engine in GUARDED for kind in made if "8 bit" in kind]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        rows = list(pool.map(one, cases))
    layers = teacher.properties.get("parameters")
    result = {
        "emulated": arguments.cpu, "emulator": subprocess.run([qemu, "--version"], capture_output=True, text=True)
        .stdout.splitlines()[0], "texts": len(sample), "parameters": layers, "rows": rows,
        **provenance(1),
    }  # fmt: skip
    write_json(arguments.output, result)
    # What an engine does not run here, it need not run there.
    asked = [row for row in rows if row["guarded"] and row.get("failed") != "here"]
    wrong = [f"{row['precision']}, {row['engine']}" for row in asked if not row.get("within")]
    for name in wrong:
        print(f"not within its bound, or not run: {name}")
    return int(bool(wrong))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--answer"]:
        answer(*sys.argv[2:])
    else:
        sys.exit(main())
