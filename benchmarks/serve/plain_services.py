"""Services as people write them in an afternoon, to stand beside ours: FastAPI around a model.

    python -m benchmarks.serve.plain_services pipeline FOLDER PORT
    python -m benchmarks.serve.plain_services onnx FOLDER PORT
    python -m benchmarks.serve.plain_services batched FOLDER PORT
    python -m benchmarks.serve.plain_services constant FOLDER PORT
    python -m benchmarks.serve.plain_services write TEACHER FOLDER

`pipeline` is the `transformers` pipeline; `onnx` is ONNX Runtime on `FOLDER/model.onnx`, each request one padded batch.
`batched` is the same done well: a process and a thread for each core, and texts that arrive while a batch is computed
make up the next one, sorted by length.
`constant` reads a body and answers always the same: what the HTTP server alone costs (its folder is not read).
`write` makes the folder of both from an artifact of format "encoder": a stock checkpoint, traced and quantised.
All take and give what `POST /predict` of ours does. Endpoints of the first two are plain functions, which FastAPI runs
in threads.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

# Most texts of a batch, and the variable with the folder of the processes.
_MOST, _FOLDER = 32, "PLAIN_SERVICE_FOLDER"


class Query(BaseModel):
    inputs: str | list[str]


def with_pipeline(folder: Path) -> FastAPI:
    import torch
    from transformers import pipeline

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    classify = pipeline("text-classification", str(folder), top_k=None, device="cpu")
    app = FastAPI()

    @app.post("/predict")
    def predict(query: Query) -> Any:
        single = isinstance(query.inputs, str)
        texts = [query.inputs] if single else query.inputs
        scores = classify(texts, truncation=True, batch_size=32)
        return scores[0] if single else scores

    return app


def onnx_scores(folder: Path, threads: int) -> Callable[[list[str]], list[Any]]:
    """The scores of texts in one padded batch."""
    import numpy as np
    import onnxruntime as ort
    from transformers import AutoConfig, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    labels = AutoConfig.from_pretrained(folder).id2label
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(str(folder / "model.onnx"), options, ["CPUExecutionProvider"])

    def scores(texts: list[str]) -> list[Any]:
        batch = tokenizer(texts, padding=True, truncation=True, return_tensors="np")
        names = ("input_ids", "attention_mask")
        (logits,) = session.run(None, {name: batch[name].astype(np.int64) for name in names})
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        return [
            sorted(
                ({"label": labels[i], "score": float(v)} for i, v in enumerate(row)), key=lambda score: -score["score"]
            )
            for row in shares
        ]

    return scores


def with_onnx(folder: Path) -> FastAPI:
    scores = onnx_scores(folder, len(os.sched_getaffinity(0)))
    app = FastAPI()

    @app.post("/predict")
    def predict(query: Query) -> Any:
        single = isinstance(query.inputs, str)
        found = scores([query.inputs] if single else query.inputs)  # type: ignore[list-item, arg-type]
        return found[0] if single else found

    return app


def batched() -> FastAPI:
    """One process of `batched`, on the folder that the environment names."""
    scores, pool = onnx_scores(Path(os.environ[_FOLDER]), 1), ThreadPoolExecutor(1)
    app = FastAPI()
    waiting: list[tuple[str, asyncio.Future[Any]]] = []
    tasks: set[asyncio.Task[None]] = set()

    async def work() -> None:
        loop = asyncio.get_running_loop()
        while waiting:
            batch = sorted(waiting[:_MOST], key=lambda asked: len(asked[0]))
            del waiting[:_MOST]
            found = await loop.run_in_executor(pool, scores, [text for text, _ in batch])
            for (_, future), answer in zip(batch, found, strict=True):
                future.set_result(answer)
        tasks.clear()

    @app.post("/predict")
    async def predict(query: Query) -> Any:
        single = isinstance(query.inputs, str)
        texts: list[str] = [query.inputs] if single else query.inputs  # type: ignore[list-item, assignment]
        futures = [asyncio.get_running_loop().create_future() for _ in texts]
        waiting.extend(zip(texts, futures, strict=True))
        if not tasks:
            tasks.add(asyncio.create_task(work()))
        answers = [await future for future in futures]
        return answers[0] if single else answers

    return app


def constant(folder: Path) -> Any:
    """An ASGI application of nothing but a read body and an answer."""
    body = b'[{"label":"positive","score":0.5},{"label":"negative","score":0.5}]'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def write(teacher: Path, folder: Path) -> None:
    """The teacher as a checkpoint of `transformers`, and traced and quantised as `model.onnx`."""
    from onnxruntime.quantization import quantize_dynamic

    from benchmarks.peers.graphs import trace, write_stock
    from leanformer.artifact import open_artifact

    write_stock(open_artifact(teacher), folder)
    trace(folder, folder / "traced.onnx")
    quantize_dynamic(folder / "traced.onnx", folder / "model.onnx")


SERVICES = {"pipeline": with_pipeline, "onnx": with_onnx, "constant": constant}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=[*SERVICES, "batched", "write"])
    parser.add_argument("folder", type=Path, help="what the service reads; for `write`, the teacher")
    parser.add_argument("target", help="the port; for `write`, the folder to write")
    arguments = parser.parse_args()
    if arguments.kind == "write":
        write(arguments.folder, Path(arguments.target))
        return
    options: dict[str, Any] = {"host": "127.0.0.1", "port": int(arguments.target), "access_log": False}
    options |= {"log_level": "warning", "lifespan": "off"}
    if arguments.kind == "batched":
        os.environ[_FOLDER] = str(arguments.folder)
        cores = len(os.sched_getaffinity(0))
        uvicorn.run("benchmarks.serve.plain_services:batched", factory=True, workers=cores, **options)
        return
    uvicorn.run(SERVICES[arguments.kind](arguments.folder), **options)


if __name__ == "__main__":
    main()
