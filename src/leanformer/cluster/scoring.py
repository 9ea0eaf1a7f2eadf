"""Bulk scoring on Ray: each part of the input is a task, retried if its worker dies.

Plain tasks, not Ray Data (docs/decisions/0020-parts-and-tasks.md): a task determines the file that it writes, so that
running it twice has the same result as running it once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leanformer.bulk import Asked, Tally, answer_rows, to_line
from leanformer.cluster.connection import connected, slots
from leanformer.cluster.parts import begin, is_whole, join, part_path, parts_folder, write_part
from leanformer.errors import LeanformerError
from leanformer.predictor import chunked

if TYPE_CHECKING:
    from leanformer.loading import Model

RETRIES = 3
_SAY_SECONDS = 10.0


@dataclass(frozen=True)
class Scored:
    """What was done: rows counted, number of parts, of those how many an earlier run had finished, and engines."""

    tally: Tally
    parts: int
    resumed: int
    engines: tuple[str, ...]


def score_file(
    artifact: Path,
    content: str,
    read: Callable[[], Iterator[Asked]],
    output: Path,
    *,
    source: str,
    kept: Mapping[str, str] | None = None,
    address: str,
    local_cores: int,
    cores: int = 1,
    rows: int = 4096,
    tuning: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> Scored:
    """Answer all rows on a Ray cluster, one line of JSON each (`bulk.answer_rows`), and write them to `output`.

    Finished parts are kept next to `output` until all are joined; a run that was stopped resumes there.

    Args:
        artifact: its folder, at the same path on every machine. content: its content hash.
        read: reads the input from the beginning; called again for joining.
        source: hash of the input, which identifies a stopped run. kept: columns to copy to the output, which identify
            it too.
        address, local_cores: see `connection.connected`.
        cores: per task. rows: per part.

    Raises `LeanformerError` if a part cannot be answered; finished parts are kept.
    """
    folder = parts_folder(output)
    begin(folder, {"input": source, "artifact": content, "rows": rows, "kept": dict(kept or {})})
    arguments = str(artifact.resolve()), content, cores, tuning
    resumed = count = 0
    said = time.monotonic()
    engines: set[str] = set()
    with connected(address, local_cores=local_cores) as ray:
        work = ray.remote(num_cpus=cores, max_retries=RETRIES)(_score_part)
        pending: dict[Any, int] = {}
        for number, chunk in enumerate(chunked(read(), rows)):
            count = number + 1
            path = part_path(folder, number)
            if is_whole(path, chunk):
                resumed += 1
                continue
            # Twice as many as run at once, so that no worker is idle; no more of the input is held in memory.
            while len(pending) >= 2 * slots(ray, cores):
                engines.add(_wait(ray, pending))
            pending[work.remote(*arguments, chunk, str(path.resolve()))] = number
            if time.monotonic() - said > _SAY_SECONDS:
                said = time.monotonic()
                say(f"{count - len(pending):,} parts of {rows:,} rows are done")
        while pending:
            engines.add(_wait(ray, pending))
    return Scored(join(folder, output, chunked(read(), rows)), count, resumed, tuple(sorted(engines)))


def _wait(ray: Any, pending: dict[Any, int]) -> str:
    """Wait for one of the pending parts: what answered it. Raises `LeanformerError` if it failed for good."""
    (done,), _ = ray.wait(list(pending), num_returns=1)
    number = pending.pop(done)
    try:
        return str(ray.get(done))
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, LeanformerError):
            raise LeanformerError(f"part {number}: {error.cause}") from error
        raise
    except ray.exceptions.RayError as error:
        raise LeanformerError(
            f"part {number}: its worker died {RETRIES + 1} times ({type(error).__name__})\n"
            "  remedy: look for what ends it, often memory; finished parts are kept, the same command goes on"
        ) from error


def _score_part(artifact: str, content: str, cores: int, tuning: bool, chunk: Sequence[Asked], path: str) -> str:
    """On a worker: answer a chunk and write its part; what answered it."""
    predictor = _opened(artifact, content, cores, tuning)
    records = answer_rows(predictor, chunk, len(chunk))
    write_part(Path(path), map(to_line, records))
    return str(predictor.engine_used)


@lru_cache(maxsize=1)
def _opened(artifact: str, content: str, cores: int, tuning: bool) -> Model:
    """The model, opened once per worker process."""
    from leanformer.artifact import open_same
    from leanformer.loading import open_predictor

    return open_predictor(open_same(artifact, content), threads=cores, tuning=tuning)
