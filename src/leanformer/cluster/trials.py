"""Trials as Ray tasks: plain JSON in, plain JSON out, results as files on shared storage.

A search describes each trial as JSON and names the function that runs it. A finished trial is a file named by the hash
of its description, written completely and then renamed. A search that was stopped finds it there, and a trial whose
worker died is repeated and still has one result.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from leanformer.cluster.connection import connected, slots
from leanformer.cluster.parts import write_part
from leanformer.errors import LeanformerError
from leanformer.files import sha256_json

RETRIES = 3


@dataclass(frozen=True)
class EndedTrial:
    """A trial that ended.

    Attributes:
        number: its index among the descriptions.
        description: as given.
        result: return value of the function; None if it failed.
        error: why it failed; None if it did not.
        seconds: its duration; None if its worker died too often.
        resumed: it had finished in an earlier run.
    """

    number: int
    description: Mapping[str, Any]
    result: Any
    error: str | None
    seconds: float | None
    resumed: bool = False


def run_trials(
    descriptions: Iterable[Mapping[str, Any]],
    function: str,
    folder: Path,
    *,
    address: str,
    local_cores: int,
    cores_per_trial: int = 1,
    retries: int = RETRIES,
) -> list[EndedTrial]:
    """`trials_as_they_finish`, all of them, in the order of their descriptions."""
    found = trials_as_they_finish(
        descriptions, function, folder, address=address, local_cores=local_cores, cores_per_trial=cores_per_trial,
        retries=retries,
    )  # fmt: skip
    return sorted(found, key=lambda trial: trial.number)


def trials_as_they_finish(
    descriptions: Iterable[Mapping[str, Any]],
    function: str,
    folder: Path,
    *,
    address: str,
    local_cores: int,
    cores_per_trial: int = 1,
    retries: int = RETRIES,
) -> Iterator[EndedTrial]:
    """Run trials on a Ray cluster; each is yielded when it finishes.

    The next description is read only when a trial can start, and after the consumer has received every result so far,
    so an ask-and-tell search may derive its descriptions from the results.

    Args:
        descriptions: JSON objects. Two equal ones share one result.
        function: "module:name" of a function at the top level of a module that every machine can import; it takes a
            description and returns JSON. An exception in it is the trial's error, and the trial is not retried.
        folder: for the results, on storage shared by all machines. Failed trials leave none, and run again when they
            are requested again.
        address, local_cores: see `connection.connected`.
        cores_per_trial: processors reserved for each trial; the function keeps to them.
        retries: how often a trial is restarted if its worker died.

    Raises `LeanformerError` for a function that does not exist, and for a cluster that cannot be reached.
    """
    _function(function)
    folder.mkdir(parents=True, exist_ok=True)
    source = enumerate(descriptions)
    with connected(address, local_cores=local_cores) as ray:
        work = ray.remote(num_cpus=cores_per_trial, max_retries=retries)(_run)
        pending: dict[Any, tuple[int, Mapping[str, Any]]] = {}
        more = True
        while more or pending:
            while more and len(pending) < slots(ray, cores_per_trial):
                number, description = next(source, (-1, {}))
                if number < 0:
                    more = False
                    break
                path = result_path(folder, description)
                if (record := _read(path, description)) is not None:
                    yield EndedTrial(number, description, record["result"], None, record["seconds"], resumed=True)
                    continue
                pending[work.remote(function, dict(description), str(path.resolve()))] = number, description
            if pending:
                (done,), _ = ray.wait(list(pending), num_returns=1)
                number, description = pending.pop(done)
                yield _trial(ray, done, number, description, retries)


def result_path(folder: Path, description: Mapping[str, Any]) -> Path:
    """Where the result of a finished trial is stored."""
    return folder / f"trial-{sha256_json(dict(description))[:24]}.json"


def _trial(ray: Any, done: Any, number: int, description: Mapping[str, Any], retries: int) -> EndedTrial:
    try:
        record = ray.get(done)
    except ray.exceptions.RayTaskError as error:  # not the function's: those are caught where it runs
        return EndedTrial(number, description, None, f"{type(error.cause).__name__}: {error.cause}", None)
    except ray.exceptions.RayError as error:
        return EndedTrial(
            number, description, None, f"its worker died {retries + 1} times ({type(error).__name__})", None
        )
    return EndedTrial(number, description, record["result"], record["error"], record["seconds"])


def _run(function: str, description: dict[str, Any], path: str) -> dict[str, Any]:
    """On a worker: run a trial, and write its result if there is one."""
    start = time.monotonic()
    record: dict[str, Any] = {"description": description, "result": None, "error": None}
    try:
        record["result"] = _function(function)(description)
        json.dumps(record["result"], allow_nan=False)
    except Exception as error:  # whatever it is, the trial failed and not the search
        record |= {"result": None, "error": f"{type(error).__name__}: {error}"}
    record["seconds"] = round(time.monotonic() - start, 3)
    if record["error"] is None:
        write_part(Path(path), [json.dumps(record, ensure_ascii=False, allow_nan=False)])
    return record


def _read(path: Path, description: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record of a finished trial; None if there is none that can be read."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["description"] == dict(description) and {"result", "seconds"} <= set(record):
            return dict(record)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _function(name: str) -> Callable[[dict[str, Any]], Any]:
    module, _, attribute = name.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise LeanformerError(f"{name!r} names no function ({error})\n  remedy: write module:function") from error
    if not callable(found):
        raise LeanformerError(f"{name!r} is no function\n  remedy: write module:function")
    return found  # type: ignore[no-any-return]
