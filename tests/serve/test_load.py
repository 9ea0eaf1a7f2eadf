"""Full queues, deadlines, dead workers, reloads and the end: nothing accepted is left without an answer.

Workers are made slow by stopping their processes (SIGSTOP), so no test depends on how fast the machine is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from leanformer.artifact import open_artifact
from leanformer.files import write_json
from leanformer.measure.certificate import certified
from leanformer.predictor import logits
from leanformer.runtime.predictor import LightPredictor
from tests.making.servers import Reply, Server
from tests.serve.test_routes import TEXTS, as_array

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs signals that stop a process")


@pytest.fixture(scope="module")
def small(tiny_onnx_artifact: Path) -> Iterator[Server]:
    """A server with one worker and a queue for 40 tokens; clients that dawdle for a second are cut."""
    limits = ("--queue-tokens", 40, "--receive-seconds", 1, "--send-seconds", 1, "--body-bytes", 5_000_000)
    with Server(f"tiny={tiny_onnx_artifact}", "--workers", 1, *limits) as one:
        yield one


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as one:
        yield one


def accepted(server: Server, count: int) -> None:
    server.until(lambda: server.figure("leanformer_queue_requests") == count)


@pytest.mark.slow
def test_a_full_queue_refuses_with_the_time_to_come_back(small: Server, threads: ThreadPoolExecutor):
    with small.frozen():
        first = [threads.submit(small.predict, ["rain wind", "goal race", "song"]) for _ in range(3)]  # 11 tokens each
        accepted(small, 3)
        refused = small.predict(["rain wind", "goal race", "song"])
        assert refused.status == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert "queue_tokens is 40" in refused.json["error"]
        assert small.figure("leanformer_queue_tokens") == 33
        last = threads.submit(small.predict, "rain wind")  # 4 tokens still find room
        accepted(small, 4)
    assert [future.result().status for future in (*first, last)] == [200] * 4
    assert small.predict(["rain wind", "goal race", "song"]).status == 200
    assert small.figure('leanformer_refused_total{reason="overloaded"}') == 1


def test_a_full_queue_of_one_model_leaves_the_other_its_own(
    tiny_onnx_artifact: Path, other_artifact: Path, threads: ThreadPoolExecutor
):
    models = (f"tiny={tiny_onnx_artifact}", f"other={other_artifact}")
    with Server(*models, "--workers", 1, "--queue-tokens", 40) as server:
        with server.frozen():
            first = [threads.submit(server.predict, ["rain"] * 12) for _ in range(2)]
            server.until(lambda: any(future.done() for future in first))
            asked = threads.submit(server.predict, ["rain"] * 12, model="other")
            accepted(server, 2)
            assert server.figure('leanformer_model_queue_tokens{model="tiny"}') == 36
            assert server.figure('leanformer_model_queue_tokens{model="other"}') == 36
            assert server.predict("rain wind goal race", model="tiny").status == 429
        assert sorted(future.result().status for future in first) == [200, 429]
        assert asked.result().status == 200


def test_the_more_urgent_is_answered_first(tiny_onnx_artifact: Path, threads: ThreadPoolExecutor):
    def ask(name: str) -> int:
        headers = {"leanformer-priority": name, "x-request-id": name}
        if name == "other":
            headers = {"x-request-id": name}
        return server.predict("rain", headers=headers).status

    with Server(f"tiny={tiny_onnx_artifact}", "--workers", 1, "--pack-tokens", 3) as server:
        with server.frozen():
            # Two packs are with the worker; of the others the order is that of their priorities.
            asked = [threads.submit(server.predict, "rain", {"x-request-id": f"first{number}"}) for number in range(2)]
            accepted(server, 2)
            for count, name in enumerate(("low", "other", "normal", "high"), 3):
                asked.append(threads.submit(ask, name))  # type: ignore[arg-type]
                accepted(server, count)
        assert all(getattr(future.result(), "status", future.result()) == 200 for future in asked)
        server.event("request", request_id="low")
    order = [line["request_id"] for line in server.log if line["event"] == "request" and line["status"] == 200]
    assert [name for name in order if name in ("low", "other", "normal", "high")] == ["high", "other", "normal", "low"]


def test_bad_priorities_are_refused(small: Server):
    for headers in ({"leanformer-priority": "9"}, {"leanformer-priority": "9", "leanformer-timeout-ms": "5000"}):
        for inputs in ("rain", ""):
            refused = small.predict(inputs, headers=headers)
            assert refused.status == 422 and "header leanformer-priority: must be" in refused.json["error"]


def test_what_could_never_fit_is_said_to_be_too_large(small: Server):
    answer = small.predict(["rain wind"] * 11)
    assert answer.status == 413
    assert "44 tokens; the limit queue_tokens is 40" in answer.json["error"]


def test_past_its_deadline_a_request_is_answered_and_its_work_dropped(small: Server, threads: ThreadPoolExecutor):
    before = small.figure('leanformer_pack_tokens_sum{model="tiny"}')
    with small.frozen():
        busy = threads.submit(small.predict, "rain wind")
        accepted(small, 1)
        late = small.predict(["rain"] * 10, headers={"leanformer-timeout-ms": "50"})
        assert late.status == 504
        assert small.figure("leanformer_queue_tokens") == 4
    assert busy.result().status == 200
    # Ten texts of three tokens were never handed to a worker: what it has computed is the first request alone.
    assert small.figure('leanformer_pack_tokens_sum{model="tiny"}') == before + 4


def test_a_client_that_goes_away_takes_its_work_along(small: Server):
    with small.frozen():
        connection = small.connect()
        connection.request("POST", "/predict", b'{"inputs": ["rain", "wind"]}', {"content-type": "application/json"})
        accepted(small, 1)
        connection.close()
        accepted(small, 0)
    assert small.event("request", status=499)


def test_bad_timeouts_are_refused(small: Server):
    for value in ("0", "-1", "soon", "1.5", "١"):
        assert small.predict("rain", headers={"leanformer-timeout-ms": value.encode().decode("latin-1")}).status == 422
    assert small.predict("rain", headers={"leanformer-timeout-ms": "9" * 40}).status == 200


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", marks=pytest.mark.slow),
        pytest.param(b"POST /predict HT", marks=pytest.mark.slow),
        b"POST /predict HTTP/1.1\r\nhost: localhost\r\nx-slow: ",
    ],
    ids=["nothing", "a line's beginning", "half a head"],
)
def test_a_slow_head_is_cut(small: Server, sent: bytes):
    with socket.create_connection(("127.0.0.1", small.port), timeout=30) as one:
        one.sendall(sent)
        with contextlib.suppress(ConnectionResetError):
            assert one.recv(1000) == b""


def test_a_slow_body_is_told_and_cut(small: Server):
    head = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n"
    with socket.create_connection(("127.0.0.1", small.port), timeout=30) as one:
        one.sendall(head + b'{"inputs"')
        answer = b""
        while part := one.recv(1000):
            answer += part
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"receive_seconds is 1" in answer


@pytest.mark.slow
def test_a_client_that_does_not_read_is_cut(small: Server):
    head = (
        b"POST /predict/stream HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n"
        b"transfer-encoding: chunked\r\n\r\n"
    )
    line = b'"rain"\n' * 500
    chunk = b"%x\r\n%s\r\n" % (len(line), line)
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.settimeout(60)
        one.connect(("127.0.0.1", small.port))
        one.sendall(head)
        with pytest.raises(OSError):  # noqa: PT012 - which of the sends it is depends on buffers
            for _ in range(100_000):
                one.sendall(chunk)
    event = small.event("request", route="/predict/stream")
    assert "did not read" in event["cut"]
    assert small.predict("rain").status == 200


@pytest.mark.slow
def test_connections_past_the_limit_are_told_so(tiny_onnx_artifact: Path):
    with Server(f"tiny={tiny_onnx_artifact}", "--workers", 1, "--connections", 2) as server:
        held = [server.connect() for _ in range(2)]
        for connection in held:
            assert server.ask("GET", "/info", connection=connection).status == 200
        refused = server.predict("rain")
        assert refused.status == 503
        assert "connections is 2" in refused.json["error"]
        assert server.ask("GET", "/ready").status == 200, "probes are let through"
        held.pop().close()
        server.until(lambda: server.predict("rain").status == 200)
        held.pop().close()


@pytest.mark.slow
def test_a_dead_worker_is_replaced_and_its_work_answered(tiny_onnx_artifact: Path, threads: ThreadPoolExecutor):
    with Server(f"tiny={tiny_onnx_artifact}", "--workers", 2) as server:
        expected = as_array(server.predict(TEXTS, raw_scores=True).json)
        victims = server.workers
        with server.frozen():
            asked = [threads.submit(server.predict, TEXTS[i], raw_scores=True) for i in range(12)]
            accepted(server, 12)
            for pid in victims:
                os.kill(pid, signal.SIGKILL)
        answers = [future.result() for future in asked]
        assert [answer.status for answer in answers] == [200] * 12
        np.testing.assert_allclose(as_array([answer.json for answer in answers]), expected[:12], atol=1e-5)
        server.event("worker_started", count=4)
        server.until(lambda: server.figure("leanformer_workers") == 2)
        assert not set(server.workers) & set(victims)
        assert server.figure("leanformer_worker_restarts_total") == 2


@pytest.mark.slow
def test_what_two_workers_die_of_is_refused_clearly_and_the_rest_answered(
    tiny_onnx_artifact: Path, threads: ThreadPoolExecutor
):
    with Server(f"tiny={tiny_onnx_artifact}", "--workers", 1, "--pack-tokens", 1) as server:
        with server.frozen():
            # Five hundred packs of one text: the second worker is killed long before it is through with them.
            deadly = threads.submit(server.predict, (TEXTS * 5)[:512])
            accepted(server, 1)
            os.kill(server.workers[0], signal.SIGKILL)
        server.event("worker_started", count=2)
        os.kill(server.workers[0], signal.SIGKILL)
        answer = deadly.result()
        assert answer.status == 503
        assert "two workers" in answer.json["error"]
        assert server.predict(TEXTS[1]).status == 200
        assert server.figure("leanformer_queue_tokens") == 0


@pytest.mark.slow
def test_a_reload_loses_no_request(
    tmp_path: Path, tiny_onnx_artifact: Path, other_artifact: Path, threads: ThreadPoolExecutor
):
    place = tmp_path / "model"
    shutil.copytree(tiny_onnx_artifact, place)
    versions = [open_artifact(path) for path in (tiny_onnx_artifact, other_artifact)]
    expected = {version.content_hash: logits(LightPredictor(version, threads=1), TEXTS[:4]) for version in versions}
    with Server(place, "--workers", 1) as server:
        done = threading.Event()

        def keep_asking() -> list[Reply]:
            connection, replies = server.connect(), []
            while not done.is_set():
                body = {"inputs": TEXTS[:4], "raw_scores": True}
                replies.append(server.ask("POST", "/predict", body, connection=connection))
            return replies

        running: list[Future[list[Reply]]] = [threads.submit(keep_asking) for _ in range(4)]
        replace(place, other_artifact)
        server.process.send_signal(signal.SIGHUP)
        server.event("models_loaded", generation=2)
        server.event("workers_ended", generation=1)
        assert server.predict("rain").headers["leanformer-version"] == versions[1].content_hash
        done.set()
        replies = [reply for future in running for reply in future.result()]
        assert {reply.status for reply in replies} == {200}
        assert {reply.headers["leanformer-version"] for reply in replies} == set(expected)
        for reply in replies:
            np.testing.assert_allclose(as_array(reply.json), expected[reply.headers["leanformer-version"]], atol=1e-5)


def replace(place: Path, artifact: Path) -> None:
    """Put another artifact at `place`, as `new_folder` does it: the name stands for a whole folder at all times."""
    place.rename(place.with_name("old"))
    shutil.copytree(artifact, place)


@pytest.mark.slow
def test_a_broken_artifact_leaves_everything_as_it_was(tmp_path: Path, tiny_onnx_artifact: Path):
    place = tmp_path / "model"
    shutil.copytree(tiny_onnx_artifact, place)
    with Server(place, "--workers", 1) as server:
        before = server.predict(TEXTS[:3]).json
        graph = place / "model.onnx"
        graph.write_bytes(graph.read_bytes()[:-1] + b"x")
        server.process.send_signal(signal.SIGHUP)
        assert "model.onnx" in server.event("reload_failed")["error"]
        assert server.predict(TEXTS[:3]).json == before
        assert server.figure('leanformer_reloads_total{outcome="failed"}') == 1


@pytest.mark.slow
def test_a_reload_asks_for_a_certificate_as_the_start_does(
    tmp_path: Path, tiny_onnx_artifact: Path, other_artifact: Path
):
    place, verdict = (
        tmp_path / "model",
        {"ships": True, "reuse": {"all_rows": False}, "reference": {"content_hash": "1" * 64}},
    )
    shutil.copytree(tiny_onnx_artifact, place)
    content = open_artifact(place).content_hash
    write_json(tmp_path / "gate.json", certified(verdict | {"artifact": {"content_hash": content}}, "leanformer gate"))
    with Server(place, "--workers", 1, "--require-gate", "--certificate", tmp_path / "gate.json") as server:
        before = server.predict(TEXTS[:3]).json
        replace(place, other_artifact)
        server.process.send_signal(signal.SIGHUP)
        assert "is that of another model" in server.event("reload_failed")["error"]
        assert server.predict(TEXTS[:3]).json == before


@pytest.mark.slow
def test_a_worker_that_finds_another_artifact_makes_the_server_reload(
    tmp_path: Path, tiny_onnx_artifact: Path, other_artifact: Path
):
    place = tmp_path / "model"
    shutil.copytree(tiny_onnx_artifact, place)
    with Server(place, "--workers", 1) as server:
        replace(place, other_artifact)
        os.kill(server.workers[0], signal.SIGKILL)
        server.event("models_loaded", generation=2)
        answer = server.predict("rain")
        assert answer.headers["leanformer-version"] == open_artifact(other_artifact).content_hash
        server.event("workers_ended", generation=1)


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_the_end_answers_what_was_accepted(tiny_onnx_artifact: Path, threads: ThreadPoolExecutor, number: int):
    with Server(f"tiny={tiny_onnx_artifact}", "--workers", 2) as server:
        workers = server.workers
        with server.frozen():
            asked = [threads.submit(server.predict, TEXTS[i : i + 3]) for i in range(20)]
            accepted(server, 20)
            server.process.send_signal(number)
            server.event("stopping")
        assert [future.result().status for future in asked] == [200] * 20
        assert server.process.wait(30) == 0
        server.event("stopped")
        for pid in workers:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)


@pytest.mark.slow
def test_workers_do_not_outlive_a_server_that_is_killed(tiny_onnx_artifact: Path):
    with Server(f"tiny={tiny_onnx_artifact}", "--workers", 2) as server:
        workers = server.workers
        server.process.kill()
        server.process.wait()
        end = time.monotonic() + 30
        while any(is_alive(pid) for pid in workers):
            assert time.monotonic() < end
            time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
