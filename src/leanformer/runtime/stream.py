"""Streams chunks of texts through tokenizer and engine: the next chunk is tokenized during inference on this one.

Nothing is computed here. Tokenizing and inference are jobs for the same workers. There are as many workers as the
predictor may use cores, so the two share the cores and never exceed them; an additional thread waits for the engine.
Jobs start in the order of submission, and the next chunk is submitted before the current one. Workers that run out of
packs therefore find texts to tokenize, and a slow consumer of the results blocks no worker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TypeVar

from leanformer.runtime.workers import WorkerThreads

Chunk = TypeVar("Chunk")
Rows = TypeVar("Rows")
Result = TypeVar("Result")
Item = TypeVar("Item")
Row = TypeVar("Row")


def beside(
    chunks: Iterable[Chunk], start: Callable[[Chunk], Callable[[], Rows]], finish: Callable[[Rows], Result]
) -> Iterator[tuple[Chunk, Result]]:
    """Each chunk and its result, in order; at most three chunks are held at a time.

    Args:
        chunks: read while earlier chunks are processed.
        start: starts preparing a chunk, and returns a function that waits for the prepared rows.
        finish: computes the result of a prepared chunk.

    Any exception from `chunks`, `start` or `finish` is raised here, after the results of all earlier chunks.
    """
    source = iter(chunks)
    working: deque[tuple[Chunk, Future[Result]]] = deque()
    begun: tuple[Chunk, Callable[[], Rows]] | None = None
    failure: Exception | None = None
    driver = ThreadPoolExecutor(1, thread_name_prefix="leanformer-stream")
    try:
        more = True
        while more:
            coming: tuple[Chunk, Callable[[], Rows]] | None = None
            try:
                chunk = next(source)
                coming = chunk, start(chunk)
            except StopIteration:
                more = False
            except Exception as error:  # whatever it is, the results of earlier chunks come first
                failure, more = error, False
            if begun is not None:
                try:
                    working.append((begun[0], driver.submit(finish, begun[1]())))
                except Exception as error:
                    failure, more = error, False
            while working and (len(working) > 1 or not more):
                done, result = working.popleft()
                yield done, result.result()
            begun = coming
    finally:
        driver.shutdown(cancel_futures=True)
    if failure is not None:
        raise failure


def spread(
    work: Callable[[Sequence[Item]], list[Row]], items: Sequence[Item], workers: Executor | WorkerThreads, parts: int
) -> Callable[[], list[Row]]:
    """Start `work` on the items, split into `parts` parts; returns a function that waits for all rows.

    If a part raises, that function repeats the work on all items in the calling thread, so that the index in the error
    message refers to all items.
    """
    size = max(1, -(-len(items) // parts))
    futures = [workers.submit(work, items[begin : begin + size]) for begin in range(0, len(items), size)]

    def wait() -> list[Row]:
        try:
            return [row for future in futures for row in future.result()]
        except Exception:
            return work(items)

    return wait
