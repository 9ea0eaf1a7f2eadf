"""Sections of run.py with an open loop: 70 % of the capacity, twice the capacity, workers killed, reloads.

Requests are due at times drawn beforehand, whatever the server does, and latency counts from then. What must hold is in
a row's `holds`: every request is answered, with 200, 429, 503 or 504; the answers of accepted ones come in bounded
time; memory stays flat; and a reload fails none.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.serve.measure import Row, Setting, system, told
from benchmarks.serve.services import Service, load, memory_bytes, ours, started

_TRUNCATE = ("--options", '{"truncate": true}')
KILL_SECONDS, RELOAD_SECONDS = 20.0, 10.0
# Accepted work waits for at most a full queue; twice the time that takes, and a second for a worker that died with it.
_SLACK = 2.0


def steady(setting: Setting) -> list[Row]:
    """70 % of the capacity, beside one text at a time on one connection, which is what nobody waits for."""
    rows = []
    for name, folder in setting.artifacts.items():
        with started(ours(folder), setting.texts) as service:
            alone = load(service.port, setting.texts, "--seconds", str(setting.seconds), *_TRUNCATE)
            most = ("--seconds", str(setting.seconds), "--connections", "64")
            capacity = load(service.port, setting.texts, *most, *_TRUNCATE)["requests_per_second"]
            asked = ("--seconds", str(6 * setting.seconds), "--rate", str(0.7 * capacity))
            figures = load(service.port, setting.texts, *asked, *_TRUNCATE)
        rows.append({
            "work": "open loop at 70 %", "connections": 0, **figures, "system": system(name), "capacity": capacity,
            "alone_p50_ms": alone["p50_ms"], "p99_over_alone_p50": round(figures["p99_ms"] / alone["p50_ms"], 2),
        })  # fmt: skip
        told(rows[-1])
        print({key: rows[-1][key] for key in ("capacity", "alone_p50_ms", "p99_over_alone_p50", "sent_late_ms_p99")})
    return rows


def overload(setting: Setting) -> list[Row]:
    """Twice the capacity."""
    return [_run(setting, name, folder, "open loop at 200 %", 2.0) for name, folder in _first(setting)]


def killed(setting: Setting) -> list[Row]:
    """The same, and every 20 s a worker is killed."""
    work = "200 %, a worker killed every 20 s"
    return [_run(setting, name, folder, work, 2.0, kill_seconds=KILL_SECONDS) for name, folder in _first(setting)]


def reloads(setting: Setting) -> list[Row]:
    """Half of the capacity, and every 10 s the artifact is loaded anew."""
    work = "50 %, reloaded every 10 s"
    return [_run(setting, name, folder, work, 0.5, reload_seconds=RELOAD_SECONDS) for name, folder in _first(setting)]


def _first(setting: Setting) -> list[tuple[str, Path]]:
    return list(setting.artifacts.items())[:1]


def _run(
    setting: Setting, name: str, folder: Path, work: str, share: float, *, kill_seconds: float = 0.0,
    reload_seconds: float = 0.0,
) -> Row:  # fmt: skip
    options = ("--queue-tokens", str(setting.queue_tokens))
    seconds = 60 * setting.minutes
    if kill_seconds or reload_seconds:  # a short trial sees at least one of each
        kill_seconds, reload_seconds = min(kill_seconds, seconds / 3), min(reload_seconds, seconds / 3)
    with started(ours(folder, *options), setting.texts) as service:
        found = load(service.port, setting.texts, "--seconds", "5", "--connections", "64", *_TRUNCATE)
        capacity = found["requests_per_second"]
        print(f"{system(name)}: capacity {capacity:.0f} requests per second", flush=True)
        over, memory = threading.Event(), list[int]()
        watcher = threading.Thread(target=_disturb, args=(service, over, memory, kill_seconds, reload_seconds))
        watcher.start()
        try:
            figures = load(
                service.port, setting.texts, "--seconds", str(seconds), "--rate", str(share * capacity), *_TRUNCATE
            )
        finally:
            over.set()
            watcher.join()
        lost, loaded = service.count("worker_lost"), service.count("models_loaded")
        errors = [line for line in service.log.read_text().splitlines() if '"level": "error"' in line]
    statuses: dict[str, int] = figures["statuses"]
    # What allocators need in the first half they have then.
    middle = memory[len(memory) // 2 :]
    grown = max(middle[-5:]) / max(middle[:5]) - 1 if middle else 0.0
    bound = 1000 * (
        _SLACK * 64 / capacity + _SLACK * _queue_seconds(setting, capacity) + (5.0 if kill_seconds else 1.0)
    )
    holds: dict[str, bool] = {
        "all_answered": not statuses.get("0"),
        "no_other_status": set(statuses) <= {"0", "200", "429", "503", "504"},
        "p99_bounded": figures["p99_ms"] <= bound,
    }
    if not kill_seconds and not reload_seconds:
        holds["memory_flat"] = abs(grown) <= 0.05
    if kill_seconds:
        holds["memory_flat"] = grown <= 0.05
        holds["workers_replaced"] = lost > 0
    if reload_seconds:
        holds |= {"reloaded": loaded > 1, "no_request_failed": set(statuses) == {"200"}}
    row = {
        "work": work, "connections": 0, **figures, "system": system(name), "capacity": capacity, "seconds": seconds,
        "queue_tokens": setting.queue_tokens, "p99_bound_ms": round(bound, 1), "workers_lost": lost,
        "reloads": loaded - 1, "memory_growth": round(grown, 4),
        "memory_bytes": memory[:: max(1, len(memory) // 20)], "holds": holds,
    }  # fmt: skip
    told(row)
    print({key: row[key] for key in ("holds", "workers_lost", "reloads", "memory_growth", "p99_bound_ms")})
    unexpected = [line for line in errors if '"worker_lost"' not in line]
    print("\n".join(unexpected[:5]))
    return row


def _queue_seconds(setting: Setting, capacity: float) -> float:
    """Seconds that a full queue takes at capacity; some four tokens for every three words, special ones besides."""
    lines = setting.lines()[:500]
    tokens = sum(4 * len(line.split()) / 3 + 2 for line in lines) / len(lines)
    return setting.queue_tokens / (tokens * capacity)


def _disturb(service: Service, over: threading.Event, memory: list[int], kill: float, reload: float) -> None:
    """Each second read the memory; now and then kill a worker, or have the artifact loaded anew."""
    draw, start = random.Random(13), time.monotonic()
    done: dict[str, Any] = {"kills": 1, "reloads": 1}
    while not over.wait(1.0):
        workers = service.workers
        memory.append(memory_bytes([service.process.pid, *workers]))
        passed = time.monotonic() - start
        if kill and workers and passed > done["kills"] * kill:
            os.kill(draw.choice(workers), signal.SIGKILL)
            done["kills"] += 1
        if reload and passed > done["reloads"] * reload:
            service.process.send_signal(signal.SIGHUP)
            done["reloads"] += 1
