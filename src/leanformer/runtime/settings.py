"""Runtime settings of an artifact on this machine, and those that `leanformer tune` stored with it.

They are in `tuning/KEY.json` in the artifact's folder, outside its content hash. KEY is a hash of what a choice depends
on: the CPU, the cores that may be used, and the versions of the engines.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from leanformer.artifact import Artifact
from leanformer.errors import COMPILER_REMEDY
from leanformer.files import sha256_json
from leanformer.machine import fingerprint
from leanformer.runtime.native.build import can_run
from leanformer.runtime.native.levels import GENERIC, VARIABLE, forced_level, is_fast, levels
from leanformer.runtime.native.shipped import shipped_library
from leanformer.strict_json import read_json

FOLDER, FORMAT_VERSION = "tuning", 1
GOALS = ("throughput", "latency")
DEFAULT_ENGINE = "onnxruntime"
_ENGINE_LIBRARIES = ("leanformer", "numpy", "onnxruntime", "openvino")
# Operators of a padded graph with distances of tokens or with rotary angles: one that was never packed.
_PLACED = {"Range", "Concat"}
_LARGEST_BYTES, _LARGEST_PACK = 1 << 20, 1 << 16


@dataclass(frozen=True)
class RuntimeSettings:
    """How a light predictor runs its graph.

    Attributes:
        engine: one of `runtime.predictor.ENGINES`.
        workers: packs that are run at the same time, if there are several.
        worker_threads: threads per worker.
        lone_threads: threads for a single pack, if the cores are free.
        pack_tokens: most tokens in a pack; None lets the engine choose.
        pinned: whether each worker is pinned to separate physical cores.
    """

    engine: str = DEFAULT_ENGINE
    workers: int = 1
    worker_threads: int = 1
    lone_threads: int = 1
    pack_tokens: int | None = None
    pinned: bool = False

    def describe(self, goal: str) -> str:
        """The settings that matter for the goal, in words."""
        if goal == "latency":
            return f"{self.engine}, {_count(self.lone_threads, 'thread')}"
        packs = "packs as the engine likes" if self.pack_tokens is None else f"packs of {self.pack_tokens} tokens"
        each = "" if self.worker_threads == 1 else f" of {self.worker_threads} threads"
        return f"{self.engine}, {_count(self.workers, 'worker')}{each}{', pinned' * self.pinned}, {packs}"


class Why(NamedTuple):
    """Why an engine was chosen, and what would make the artifact run faster, if anything is known."""

    reason: str
    remedy: str = ""


TUNED = Why("the fastest that leanformer tune found here")


def default_engine(artifact: Artifact) -> tuple[str, Why]:
    """The default engine: native for int8 graphs that we export for it, else ONNX Runtime; and why.

    Those are packed graphs, recurrent students, and encoders whose positions are relative, rotary or in windows. Native
    only if there is a library of it, or a compiler, and it is fast with the CPU's vector instructions.
    """
    told = artifact.properties
    if not precision_of(artifact).startswith("int8"):
        return DEFAULT_ENGINE, Why("the native engine runs int8 graphs alone")
    if told.get("layout") != "packed" and "units" not in told and not _PLACED & set(told.get("operators", ())):
        return DEFAULT_ENGINE, Why("the native engine does not run padded graphs of this family", "export it again")
    if not is_fast():
        return DEFAULT_ENGINE, _why_slow()
    if not can_run():
        problem = f"{shipped_library().problem or 'one compiled here is asked for'}, and there is no compiler"
        return DEFAULT_ENGINE, Why(problem, f"install the wheel for this platform; or {COMPILER_REMEDY}")
    return "native", Why("the default for int8 graphs")


def precision_of(artifact: Artifact) -> str:
    """The precision of an artifact's weights, as its manifest has it."""
    return str(artifact.properties.get("precision", "fp32"))


def _why_slow() -> Why:
    """Why the native engine has no fast level here."""
    if forced_level() == GENERIC:
        return Why(f"{VARIABLE}={GENERIC}, with which the native engine is slower", f"unset {VARIABLE}")
    lacks = "this CPU has no AVX2" if levels()[0] != GENERIC else "it has no vector instructions of this architecture"
    return Why(f"the native engine would be slower: {lacks}")


def default_settings(cores: int, engine: str = DEFAULT_ENGINE) -> RuntimeSettings:
    """Settings that are safe on any machine: one single-threaded worker per core, and all cores for a single pack."""
    return RuntimeSettings(engine, workers=cores, lone_threads=cores)


@dataclass(frozen=True)
class Tuning:
    """The best settings found on this machine; `record` is the whole file, with all alternatives."""

    path: Path
    settings: RuntimeSettings
    record: dict[str, Any]


def machine(cores: int) -> dict[str, Any]:
    """What a choice is valid for: CPU, cores used, and the versions of the libraries that compute."""
    whole = fingerprint(cores)
    versions = {name: version for name, version in whole["versions"].items() if name in _ENGINE_LIBRARIES}
    kept = {name: whole[name] for name in ("cpu", "instruction_sets", "system")}
    return kept | {"cores": cores, "versions": versions}


def tuning_path(artifact: Artifact, cores: int) -> Path:
    """Path of the stored choice for this machine, whether or not it exists."""
    return artifact.path / FOLDER / f"{sha256_json(machine(cores))[:16]}.json"


def read_tuning(artifact: Artifact, cores: int, engines: Sequence[str]) -> Tuning | None:
    """The stored choice for this machine, or None.

    A file that is broken, or was made for other content or another machine, is ignored with a warning.
    """
    path = tuning_path(artifact, cores)
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise ValueError(f"it has more than {_LARGEST_BYTES:,} bytes")
        record = read_json(path)
        if not isinstance(record, dict) or record.get("format_version") != FORMAT_VERSION:
            raise ValueError(f"it is not of format version {FORMAT_VERSION}")
        if record.get("content") != artifact.content_hash:
            raise ValueError("it was made for other weights")
        if record.get("machine") != machine(cores):
            raise ValueError("it was made on another machine")
        if record.get("goal") not in GOALS:
            raise ValueError(f"its goal is none of {', '.join(GOALS)}")
        return Tuning(path, _settings(record.get("choice"), cores, engines), record)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        warnings.warn(
            f"{path}: not used, the default is ({error})\n  remedy: remove the file, or tune again (leanformer tune)",
            stacklevel=4,
        )
        return None


def _settings(choice: Any, cores: int, engines: Sequence[str]) -> RuntimeSettings:
    """Settings from an untrusted file. Raises `ValueError` for values that this machine cannot run."""
    if not isinstance(choice, dict) or set(choice) != {field_.name for field_ in fields(RuntimeSettings)}:
        raise ValueError("its choice has other fields than this version knows")
    for name in ("workers", "worker_threads", "lone_threads", "pack_tokens"):
        value, most = choice[name], _LARGEST_PACK if name == "pack_tokens" else cores
        if name == "pack_tokens" and value is None:
            continue
        if type(value) is not int or not 1 <= value <= most:
            raise ValueError(f"{name} is {value!r:.40}, not a number from 1 to {most}")
    if choice["engine"] not in engines:
        raise ValueError(f"the engine {choice['engine']!r:.40} is not known here")
    if type(choice["pinned"]) is not bool or choice["workers"] * choice["worker_threads"] > cores:
        raise ValueError("its workers are not what this machine could run")
    return RuntimeSettings(**choice)


def to_json(settings: RuntimeSettings) -> dict[str, Any]:
    return asdict(settings)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + "s" * (number != 1)
