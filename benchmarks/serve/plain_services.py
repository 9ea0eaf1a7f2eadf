"""Services as people write them in an afternoon, to stand beside ours: FastAPI around a model.

    python benchmarks/serve/plain_services.py pipeline FOLDER PORT
    python benchmarks/serve/plain_services.py onnx FOLDER PORT

`pipeline` is the `transformers` pipeline; `onnx` is ONNX Runtime on `FOLDER/model.onnx`, each request one padded batch.
Both take and give what `POST /predict` of ours does. Endpoints are plain functions, which FastAPI runs in threads.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


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


def with_onnx(folder: Path) -> FastAPI:
    import numpy as np
    import onnxruntime as ort
    from transformers import AutoConfig, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    labels = AutoConfig.from_pretrained(folder).id2label
    options = ort.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    session = ort.InferenceSession(str(folder / "model.onnx"), options, ["CPUExecutionProvider"])
    app = FastAPI()

    @app.post("/predict")
    def predict(query: Query) -> Any:
        single = isinstance(query.inputs, str)
        batch = tokenizer(
            [query.inputs] if single else query.inputs, padding=True, truncation=True, return_tensors="np"
        )
        names = ("input_ids", "attention_mask")
        (logits,) = session.run(None, {name: batch[name].astype(np.int64) for name in names})
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        scores = [
            sorted(({"label": labels[i], "score": float(v)} for i, v in enumerate(row)), key=lambda one: -one["score"])
            for row in shares
        ]
        return scores[0] if single else scores

    return app


def main() -> None:
    kind, folder, port = sys.argv[1:]
    app = {"pipeline": with_pipeline, "onnx": with_onnx}[kind](Path(folder))
    uvicorn.run(app, host="127.0.0.1", port=int(port), access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
