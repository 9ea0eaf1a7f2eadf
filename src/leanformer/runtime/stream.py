"""Chunks of texts through tokenizer and engine: the next chunk is made ready while the engine works on the present one.

Nothing here computes. Tokenizing and inference are jobs of the same workers, of which there are as many as the
predictor may use cores, so the two share the cores and never exceed them; a further thread waits for the engine. Jobs
are taken up in the order in which they were handed in, and the next chunk is handed in before the present one, so
workers that run out of packs find texts to tokenize, and the consumer of the results keeps nobody waiting.
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
        chunks: read beside the work on earlier ones.
        start: begins to make a chunk ready, and gives a function that waits for it.
        finish: the result of a chunk that is ready.

    Whatever `chunks`, `start` or `finish` raise is raised here, after the results of all earlier chunks.
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
            except Exception as error:  # whatever it is, what came before it has its answers first
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
    """Begin `work` on the items, cut into so many parts; gives a function that waits for all rows.

    That function does the work again, here and on all items, where a part of it raised, so that what is raised speaks
    of their numbers in the whole.
    """
    size = max(1, -(-len(items) // parts))
    futures = [workers.submit(work, items[begin : begin + size]) for begin in range(0, len(items), size)]

    def wait() -> list[Row]:
        try:
            return [row for future in futures for row in future.result()]
        except Exception:
            return work(items)

    return wait
