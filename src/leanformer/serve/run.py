"""A server from start to end: loads models, listens, reloads on SIGHUP, and on SIGTERM drains accepted requests."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Iterator
from dataclasses import replace

import uvicorn

from leanformer.errors import LeanformerError
from leanformer.serve.generation import MakeWorkers
from leanformer.serve.http.app import make_app
from leanformer.serve.http.connection import connections_of
from leanformer.serve.http.direct import Direct
from leanformer.serve.logs import Log, log_instead
from leanformer.serve.service import Service
from leanformer.serve.settings import ServerSettings
from leanformer.serve.workers.open_files import room_for
from leanformer.serve.workers.pool import WorkerPool
from leanformer.serve.workers.threads import ThreadPool

# Added to the longest wait of a request, because its answer has to be written too.
_GRACE_SECONDS = 5.0
_SEND_BUFFER_BYTES = 1 << 17


_POOLS: dict[str, MakeWorkers] = {"process": WorkerPool, "thread": ThreadPool}


def run(settings: ServerSettings, make_pool: MakeWorkers | None = None) -> None:
    """Serve until SIGTERM or SIGINT, with the workers of `settings.isolation`, or those of `make_pool` (see `Service`).

    Raises `LeanformerError` if it cannot listen or load.
    """
    log = Log()
    log_instead(log)
    logging.basicConfig(level=logging.WARNING, handlers=[_Handler(log)])
    wanted = settings.limits.connections
    if (connections := room_for(wanted)) < wanted:
        log("connections_limited", level="warning", wanted=wanted, connections=connections)
        settings = replace(settings, limits=replace(settings.limits, connections=connections))
    with _listen(settings) as listener:
        loop_factory = uvicorn.Config(app="", loop="auto", log_config=None).get_loop_factory()
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(_serve(settings, listener, log, make_pool or _POOLS[settings.isolation]))


async def _serve(settings: ServerSettings, listener: socket.socket, log: Log, make_pool: MakeWorkers) -> None:
    limits = settings.limits
    service = Service(settings, log, make_pool)
    config = uvicorn.Config(
        make_app(service), http=connections_of(limits.receive_seconds, limits.send_seconds, Direct(service)),
        lifespan="off",
        access_log=False, log_config=None, server_header=False, timeout_keep_alive=int(max(1, limits.idle_seconds)),
        timeout_graceful_shutdown=int(limits.timeout_seconds + _GRACE_SECONDS), ws="none",
    )  # fmt: skip
    server = _Server(config, log)
    try:
        await service.start()
        # Objects loaded so far are permanent: the garbage collector need not scan them again.
        gc.freeze()
        with contextlib.suppress(NotImplementedError, AttributeError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, service.refresh)
        host, port = listener.getsockname()[:2]
        log(
            "listening",
            host=host,
            port=port,
            models=list(service.generation.models),
            key_needed=settings.key is not None,
        )
        await server.serve(sockets=[listener])
    finally:
        await service.stop()
        log("stopped")


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, log: Log) -> None:
        super().__init__(config)
        self._log = log

    def _stop(self, number: int) -> None:
        self._log("stopping", signal=signal.Signals(number).name, again=self.should_exit)
        self.handle_exit(number, None)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Like uvicorn's, but signals are not raised again at the end: the workers still have to be stopped."""
        loop = asyncio.get_running_loop()
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number in before:
            try:
                loop.add_signal_handler(number, self._stop, number)
            except NotImplementedError:
                signal.signal(number, self.handle_exit)
        try:
            yield
        finally:
            for number, handler in before.items():
                with contextlib.suppress(NotImplementedError):
                    loop.remove_signal_handler(number)
                signal.signal(number, handler)


class _Handler(logging.Handler):
    """Log messages of libraries in our format. They name connections and exceptions, never request bodies."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0] if record.exc_info else None
        error = {} if kind is None else {"error": kind.__name__}
        self._log("library", level=record.levelname.lower(), logger=record.name, message=record.getMessage(), **error)


def _listen(settings: ServerSettings) -> socket.socket:
    """A listening socket; opened before the models are loaded, so that a port in use is reported at once."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.create_server(address[:2], family=family, backlog=2048)
        # Connections inherit it. The kernel's buffers for clients that do not read add up and are not counted.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        return listener
    except OSError as error:
        raise LeanformerError(
            f"{settings.host}:{settings.port}: cannot listen there ({error.strerror or error})\n"
            "  remedy: choose another --port, or --host"
        ) from error
