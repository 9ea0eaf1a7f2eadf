"""Samples of a profiler, by what they belong to."""

from __future__ import annotations

from benchmarks.serve.profile import shares


def test_a_sample_counts_once_and_threads_that_wait_do_not():
    stacks = """\
run (leanformer/serve/run.py:1);Direct.take (direct.py:2);Model.read_now (model.py:3);windows (cache.py:4) 7
run (leanformer/serve/run.py:1);Direct.take (direct.py:2) 2
run (leanformer/serve/run.py:1);Guard.__call__ (guard.py:2);Router (starlette/routing.py:4) 3
run (asyncio/runners.py:5) 4
_bootstrap (threading.py:1);_worker (concurrent/futures/thread.py:81) 50
"""
    assert shares(stacks) == {"tokenising": 7, "event loop": 4, "the long way": 3, "the short way": 2}
