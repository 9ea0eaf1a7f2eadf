"""Settings of a server: where to listen, limits on requests, and timeouts."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from leanformer.errors import LeanformerError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # of a model
ISOLATIONS = ("process", "thread")
# The environment of a worker, which computes on one core.
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class RequestLimits:
    """Limits on one request, and on all of them together.

    Attributes:
        body_bytes: longest body of a request; for a stream, longest line.
        texts: most texts (or pairs) in one request.
        text_characters: longest text in characters.
        queue_tokens: most tokens accepted and not yet answered, over all requests for a model.
        pack_tokens: most tokens handed to a worker at once.
        timeout_seconds: longest wait of a request for its answer; a request may ask for less.
        receive_seconds: longest time for a client to send a request's head, and again for its body.
        send_seconds: longest time that a client may leave a part of the answer unread.
        idle_seconds: how long a connection is kept open between two requests.
        stuck_seconds: a worker that spends longer on one pack is replaced.
        connections: most open connections; further ones are answered with 503.

    Raises `LeanformerError` for a limit that is not positive, and for packs larger than the queue.
    """

    body_bytes: int = 1 << 20
    texts: int = 512
    text_characters: int = 50_000
    queue_tokens: int = 32_768
    pack_tokens: int = 1024
    timeout_seconds: float = 10.0
    receive_seconds: float = 10.0
    send_seconds: float = 10.0
    idle_seconds: float = 60.0
    stuck_seconds: float = 60.0
    connections: int = 1024

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise LeanformerError(f"limit {name}: {value} is not positive")
        if self.pack_tokens > self.queue_tokens:
            raise LeanformerError(
                f"limit pack_tokens: {self.pack_tokens} is more than the {self.queue_tokens} tokens of the queue\n"
                "  remedy: make packs smaller or the queue larger"
            )


@dataclass(frozen=True)
class ServerSettings:
    """All settings of a server.

    Attributes:
        artifacts: name -> folder, in the order given; the first answers requests that name no model.
        models_from: a folder whose models are served after those, and looked at for changes (`watch.models_in`); None:
            no further ones.
        workers: number of workers, one thread each.
        isolation: what workers are: a "process" each, or a "thread" of the server's process.
        key: bearer token that requests must carry; None accepts every client that can connect.
        hosts: values that a request's Host header may have besides those of the loopback address; checked only when
            listening there (it protects a local server from other sites' pages by DNS rebinding).
        origins: origins whose pages may call from a browser (CORS); empty: none.
        access_log: write one line per request.
        tracing: send spans to OpenTelemetry.
        certificates: files among which each model must have its certificate of the ship gate, unless its folder has it;
            None: no model needs one.
        long: how models read long texts; None: as they were trained to (`answers.long_texts.reading`).
        nice: by how much worker processes are nicer than the server (0 to 19): its front, which has little to do for
            each request, then takes a core from them as soon as it needs one, and answers do not wait for packs.
        tuning: let workers run each artifact with the settings that `leanformer tune` stored for this machine.

    Raises `LeanformerError` for another isolation or niceness.
    """

    artifacts: dict[str, str]
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    limits: RequestLimits = field(default_factory=RequestLimits)
    key: str | None = field(default=None, repr=False)
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    access_log: bool = True
    tracing: bool = False
    tuning: bool = True
    certificates: tuple[str, ...] | None = None
    long: str | None = None
    isolation: str = "process"
    models_from: str | None = None
    nice: int = 10

    def __post_init__(self) -> None:
        if self.isolation not in ISOLATIONS:
            raise LeanformerError(f"--isolation {self.isolation}: one of {', '.join(ISOLATIONS)}")
        if not 0 <= self.nice <= 19:
            raise LeanformerError(f"--nice {self.nice}: must be 0 to 19")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"
