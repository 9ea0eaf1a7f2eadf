"""Twice what it can do, from an open loop: benchmarks/results/serve_overload.json.

    python benchmarks/serve/overload.py ARTIFACT --texts FILE [--minutes 5] [--kill-seconds 20]

Finds the capacity with a closed loop, then sends twice as many requests per second for the given time, counting
latency from the time that each was due. Memory of the server with its workers (proportional set size) is read each
second. With --kill-seconds a worker is killed that often, and with --reload-seconds the artifact is loaded anew.
What must hold: every request sent has an answer, and each is 200, 429, 503 or 504 (status 0 is a request without).
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from measure import HERE, free_port, load

from leanformer.files import write_json
from leanformer.machine import fingerprint
from leanformer.runtime.cores import allowed_cores


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def memory_bytes(pids: list[int]) -> int:
    """Proportional set size of some processes, those that have just gone left out."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--kill-seconds", type=float, default=0.0)
    parser.add_argument("--reload-seconds", type=float, default=0.0)
    parser.add_argument("--queue-tokens", type=int, default=8192)
    parser.add_argument("--output", type=Path, default=HERE.parent / "results" / "serve_overload.json")
    arguments = parser.parse_args()
    port = free_port()
    command = ("-m", "leanformer", "serve", str(arguments.artifact), "--port", str(port), "--no-access-log")
    limits = ("--queue-tokens", str(arguments.queue_tokens))
    server = subprocess.Popen([sys.executable, *command, *limits], stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    events: list[str] = []
    for line in server.stderr:
        if '"listening"' in line:
            break
    reader = threading.Thread(target=lambda: events.extend(server.stderr or ()), daemon=True)
    reader.start()
    options = ("--options", '{"truncate": true}')
    load(port, arguments.texts, "--seconds", "2", "--connections", "64", *options)
    capacity = load(port, arguments.texts, "--seconds", "5", "--connections", "64", *options)["requests_per_second"]
    print(f"capacity {capacity:.0f} requests per second", flush=True)
    seconds = 60 * arguments.minutes
    memory: list[int] = []
    over = threading.Event()

    def disturb() -> None:
        draw, start, kills, reloads = random.Random(13), time.monotonic(), 1, 1
        while not over.wait(1.0):
            workers = children(server.pid)
            memory.append(memory_bytes([server.pid, *workers]))
            passed = time.monotonic() - start
            if arguments.kill_seconds and workers and passed > kills * arguments.kill_seconds:
                os.kill(draw.choice(workers), signal.SIGKILL)
                kills += 1
            if arguments.reload_seconds and passed > reloads * arguments.reload_seconds:
                server.send_signal(signal.SIGHUP)
                reloads += 1

    watcher = threading.Thread(target=disturb)
    watcher.start()
    found: dict[str, Any] = load(
        port, arguments.texts, "--seconds", str(seconds), "--rate", str(2 * capacity), *options
    )
    over.set()
    watcher.join()
    server.terminate()
    status = server.wait(60)
    reader.join(10)
    # Half of the time is enough for every allocator to have grown to what it needs.
    early, late = memory[len(memory) // 2 : len(memory) // 2 + 5], memory[-5:]
    row = {
        "work": "open loop at 200 %", "connections": 0, **found, "system": f"leanformer {arguments.artifact.name}",
        "capacity": capacity, "seconds": seconds, "kill_seconds": arguments.kill_seconds,
        "reload_seconds": arguments.reload_seconds, "queue_tokens": arguments.queue_tokens, "exit_status": status,
        "workers_lost": sum('"worker_lost"' in one for one in events),
        "reloads": sum('"models_loaded"' in one for one in events),
        "memory_middle_bytes": sum(early) // max(len(early), 1), "memory_end_bytes": sum(late) // max(len(late), 1),
        "all_answered": set(found["statuses"]) - {"0"} <= {"200", "429", "503", "504"}
        and not found["statuses"].get("0"),
        "machine": fingerprint(allowed_cores()),
    }  # fmt: skip
    write_json(arguments.output, row)
    print({name: value for name, value in row.items() if name != "machine"})
    print("".join(one for one in events if '"level": "error"' in one or '"warning"' in one))


if __name__ == "__main__":
    main()
