"""`leanformer serve`: artifacts behind HTTP."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from leanformer.cli.arguments import LongOption, TuningOption
from leanformer.errors import LeanformerError, MissingExtraError
from leanformer.serve.settings import NAME, ONE_THREAD

KEY_VARIABLE = "LEANFORMER_API_KEY"


def serve(
    artifacts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ARTIFACT]...", help="Folders of artifacts, each FOLDER or NAME=FOLDER."),
    ] = None,
    models_from: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Serve the models in the subfolders of DIR too, and load new versions as they appear.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; the default is reachable from this machine only.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8080,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Workers with one thread each; default: as tuned, else one per core that it may use."),
    ] = None,
    isolation: Annotated[
        str,
        typer.Option(
            help="process or thread: threads answer a lone text sooner, many later; a crash in one ends the server."
        ),
    ] = "process",
    nice: Annotated[
        int,
        typer.Option(
            min=0,
            max=19,
            help="Niceness of worker processes, which yield to the server's front; 0 where other programs compete.",
        ),
    ] = 10,
    key_file: Annotated[
        Path | None,
        typer.Option(help=f"File with the bearer key that requests must carry; default: ${KEY_VARIABLE}, if set."),
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Additional name for the Host header when listening on loopback.")
    ] = None,
    cors_origin: Annotated[
        list[str] | None, typer.Option(help="Origin whose pages may call the server from a browser; default: none.")
    ] = None,
    queue_tokens: Annotated[int, typer.Option(min=1, help="Maximum number of tokens queued for a model.")] = 32_768,
    pack_tokens: Annotated[int, typer.Option(min=1, help="Maximum number of tokens in a batch for a worker.")] = 1024,
    timeout: Annotated[float, typer.Option(min=0.001, help="Timeout of a request in seconds.")] = 10.0,
    body_bytes: Annotated[int, typer.Option(min=1, help="Maximum size of a request body in bytes.")] = 1 << 20,
    texts: Annotated[int, typer.Option(min=1, help="Maximum number of texts per request.")] = 512,
    text_characters: Annotated[int, typer.Option(min=1, help="Maximum length of a text in characters.")] = 50_000,
    receive_seconds: Annotated[float, typer.Option(min=0.1, help="Seconds that a request may take to arrive.")] = 10.0,
    send_seconds: Annotated[
        float, typer.Option(min=0.1, help="Seconds that a client may take to read an answer.")
    ] = 10.0,
    connections: Annotated[int, typer.Option(min=1, help="Maximum number of open connections.")] = 1024,
    require_gate: Annotated[
        bool,
        typer.Option("--require-gate", help="Refuse a model without a certificate of `leanformer gate` on its bytes."),
    ] = False,
    certificate: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="With --require-gate: a certificate, if not gate.json beside the model."),
    ] = None,
    access_log: Annotated[bool, typer.Option(help="Log one line per request, without its texts.")] = True,
    long: LongOption = None,
    tuning: TuningOption = True,
    tracing: Annotated[bool, typer.Option(help="Send spans to OpenTelemetry, which must be installed.")] = False,
) -> None:
    """Serve each ARTIFACT over HTTP, with a page to try them at / and API documentation at /docs."""
    # Texts come from many requests at once; threads of the tokenizer would only take the cores from the workers.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    if isolation == "thread":  # libraries read it when they are imported
        os.environ.update(ONE_THREAD)
    try:
        from leanformer.serve.run import run
        from leanformer.serve.watch import with_found
    except ImportError as error:
        raise MissingExtraError("serving", "serve") from error
    from leanformer.serve.settings import RequestLimits, ServerSettings
    from leanformer.serve.workers.tuned import worker_count

    limits = RequestLimits(
        body_bytes=body_bytes, texts=texts, text_characters=text_characters, queue_tokens=queue_tokens,
        pack_tokens=min(pack_tokens, queue_tokens), timeout_seconds=timeout, receive_seconds=receive_seconds,
        send_seconds=send_seconds, connections=connections,
    )  # fmt: skip
    if require_gate and long is not None:
        raise LeanformerError("--long: the gate judged the model as it was trained to read\n  remedy: leave --long out")
    if certificate and not require_gate:
        raise LeanformerError("--certificate: no certificate is asked for\n  remedy: add --require-gate")
    if not artifacts and models_from is None:
        raise LeanformerError("no model is given\n  remedy: leanformer serve FOLDER, or --models-from DIR")
    folders = named(artifacts or [])
    found = with_found(folders, models_from)
    count = workers or worker_count(found.values(), tuning)
    settings = ServerSettings(
        artifacts=folders, host=host, port=port, workers=count, limits=limits,
        key=read_key(key_file), hosts=tuple(allow_host or ()), origins=tuple(cors_origin or ()),
        access_log=access_log, tracing=tracing, tuning=tuning,
        certificates=tuple(certificate or ()) if require_gate else None, long=long, isolation=isolation,
        models_from=None if models_from is None else str(models_from), nice=nice,
    )  # fmt: skip
    run(settings)


def named(artifacts: list[str]) -> dict[str, str]:
    """Name -> folder; a folder without a name is called what it is called, with odd characters made dashes.

    Raises `LeanformerError` for a name that is none, and for one that is given twice.
    """
    result: dict[str, str] = {}
    for artifact in artifacts:
        name, separator, folder = artifact.partition("=")
        if separator and not NAME.fullmatch(name):
            # A folder may have a "=" in its path; then there is no name before it.
            if not Path(artifact).exists():
                raise LeanformerError(f"{artifact}: a name consists of letters, digits, '.', '_' and '-', 64 at most")
            separator = ""
        if not separator:
            folder = artifact
            name = re.sub(r"[^A-Za-z0-9._-]", "-", Path(folder).resolve().name).lstrip("._-")[:64] or "model"
        if name in result:
            raise LeanformerError(f"two models are called {name}\n  remedy: name them: first=FOLDER second=FOLDER")
        result[name] = folder
    return result


def read_key(path: Path | None) -> str | None:
    """The bearer key, from a file or the environment (never an argument, which every process here could read).

    Raises `LeanformerError` for a key that no header could carry.
    """
    key = path.read_text(encoding="utf-8").strip() if path is not None else os.environ.get(KEY_VARIABLE, "").strip()
    if not key and path is None:
        return None
    if len(key) < 16 or not key.isascii() or not key.isprintable() or " " in key:
        where = path or f"${KEY_VARIABLE}"
        raise LeanformerError(
            f"{where}: a key has 16 or more ASCII characters and no blanks\n  remedy: openssl rand -hex 32"
        )
    return key
