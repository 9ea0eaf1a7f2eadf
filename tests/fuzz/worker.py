"""Runs commands on artifacts that may be anything, as jobs from standard input: `python -m tests.fuzz.worker`.

A job is a line of JSON, {"runs": [[argument, ...], ...]}, and so is what comes of it: an outcome for each run,
"answer", "error" (a message with a remedy), or what was found: "traceback", "no remedy", "not finite", "status". The
process may die of a job; that is for the one who started it to see.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.cli.main import main
from leanformer.errors import LeanformerError
from leanformer.inputs.kinds import input_of
from leanformer.measure import speed

_GOOD_STATUS = {0, 3, 4}  # 3 and 4 are verdicts
_LONGEST = 1500


def run(arguments: list[str]) -> dict[str, str]:
    """What came of one command, or of one of the calls in `_CALLS`."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    status: Any = 0
    call = _CALLS.get(arguments[0])
    with redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("always")
        try:
            if call is None:
                sys.argv = ["leanformer", *arguments]
                main()
            else:
                call(*arguments[1:])
        except LeanformerError as error:
            print(f"error: {error}", file=err)
            status = 1
        except SystemExit as stop:
            status = stop.code or 0
        except BaseException as error:
            said = "".join(traceback.format_exception(error))
            return {"outcome": "traceback", "said": said[-_LONGEST:], "key": _key(error)}
    said = [stream.buffer.getvalue().decode("utf-8", "replace") for stream in (out, err)]
    return _judged(status, *said)


def _judged(status: Any, out: str, err: str) -> dict[str, str]:
    if "Traceback (most recent call last)" in err:
        return {"outcome": "traceback", "said": err[-_LONGEST:], "key": err.strip().splitlines()[-1][:100]}
    if status == 1:
        if "error: " in err and "\n  remedy: " in err[err.rindex("error: ") :]:
            return {"outcome": "error"}
        return {"outcome": "no remedy", "said": err[-_LONGEST:], "key": re.sub(r"\S*/\S*|\d+", "", err)[-100:]}
    if status not in _GOOD_STATUS:
        return {"outcome": "status", "said": f"{status}: {err[-_LONGEST:]}", "key": str(status)}
    if re.search(r"(?<![\w.])(nan|NaN|inf|-inf|Infinity|-Infinity)(?![\w.])", out):
        return {"outcome": "not finite", "said": out[-_LONGEST:], "key": "output"}
    return {"outcome": "answer"}


def _key(error: BaseException) -> str:
    """What tells one fault from another: its class, and the last of our own lines that it came through."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "/leanformer/" in frame.filename]
    where = f"{Path(ours[-1].filename).name}:{ours[-1].name}" if ours else ""
    return f"{type(error).__name__} {where}"


def _engine(folder: str, engine: str, texts: str) -> None:
    """Predict with an engine that is asked for by name."""
    from leanformer.artifact import open_artifact
    from leanformer.runtime.predictor import LightPredictor

    model = LightPredictor(open_artifact(folder), threads=1, engine=engine, tuning=False)
    questions: list[Any] = [_question(line) for line in Path(texts).read_text(encoding="utf-8").splitlines()]
    print(model.predict(questions))


def _native(folder: str) -> None:
    """The native engine by itself, with nothing before it that looks at the graph, on rows that may be out of range."""
    from leanformer.artifact import open_artifact
    from leanformer.runtime.engines.native_engine import NativeEngine

    artifact = open_artifact(folder)
    engine = NativeEngine(artifact.path / "model.onnx", artifact.properties)
    draw = np.random.default_rng(0)
    for length in (1, 3, 17, 40, 70):
        for most in (3, 60, 110, 200):
            row = draw.integers(0, most, length).astype(np.int32)
            paired = np.stack([row, row % 2], axis=1)
            for rows in ([row], [row, row[:1]], [paired]):
                try:
                    engine.run(rows, [list(range(len(rows)))])
                except ValueError:
                    continue  # out of range


def _serve(folder: str, texts: str) -> None:
    """What a server's worker does with the artifact, and its front."""
    from leanformer.serve.model import open_model
    from leanformer.serve.workers.wire import Ask
    from leanformer.serve.workers.worker import open_models, score

    open_model("m", 0, folder)
    (predictor,), _ = open_models([folder], tuning=False)
    question: Any = ("a song", "a team") if input_of(predictor.task).paired else "a song"
    values = score(predictor, Ask(0, 0, True, predictor.tokenize([question])))
    print("not finite: nan" if not np.isfinite(values).all() else values.shape)


def _question(line: str) -> Any:
    row = json.loads(line)
    return (row["text"], row["text_pair"]) if "text_pair" in row else row["text"]


_CALLS: dict[str, Callable[..., None]] = {"engine": _engine, "native": _native, "serve-worker": _serve}


def work() -> None:
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    speed._SETTLE_SECONDS = 0
    for line in sys.stdin:
        found = [run(arguments) for arguments in json.loads(line)["runs"]]
        print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    work()
