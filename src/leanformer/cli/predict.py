"""`leanformer predict`: labels and probabilities for texts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from leanformer.cli.arguments import ThreadsOption
from leanformer.errors import DataError, LeanformerError

_CHUNK = 4096


def predict(
    artifact: Annotated[Path, typer.Argument(metavar="ARTIFACT", help="Folder of the artifact.")],
    texts: Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help="Texts to label.")] = None,
    input: Annotated[
        Path | None, typer.Option(help="File of texts (.txt one a line, .jsonl, .csv, .tsv); - for stdin.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="JSON Lines file to write; default: standard output.")] = None,
    threads: ThreadsOption = None,
) -> None:
    """Label texts; one JSON object per text, in order."""
    from leanformer.loading import open_predictor
    from leanformer.predictor import logits, to_predictions

    if bool(texts) == (input is not None):
        raise LeanformerError("give texts, or --input FILE, and not both")
    if output is not None and (output.is_dir() or not output.parent.is_dir()):
        raise LeanformerError(f"{output}: a folder, or in no folder; it cannot be written\n  remedy: name a file")
    predictor = open_predictor(artifact, threads=threads)
    source = _given(texts) if texts else _read(input or Path("-"))

    def lines() -> Iterator[str]:
        while chunk := list(islice(source, _CHUNK)):
            for text, one in zip(chunk, to_predictions(logits(predictor, chunk), predictor.task), strict=True):
                record: dict[str, Any] = {"text": text, "label": one.label}
                record["probabilities"] = {name: round(value, 6) for name, value in one.probabilities.items()}
                yield json.dumps(record, ensure_ascii=False)

    if output is None:
        for line in lines():
            print(line)
        return
    temporary = output.with_name(f".{output.name}.partial")
    try:
        with open(temporary, "w", encoding="utf-8") as handle:
            handle.writelines(line + "\n" for line in lines())
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)


def _given(texts: list[str]) -> Iterator[str]:
    for text in texts:
        # A byte of the command line that is not UTF-8 arrives as half of a surrogate pair.
        if not text.strip() or any("\ud800" <= one <= "\udfff" for one in text):
            raise LeanformerError(f"{text!r} is no text\n  remedy: give at least one word, in UTF-8")
        yield text


def _read(path: Path) -> Iterator[str]:
    if str(path) == "-":
        for number, raw in enumerate(sys.stdin.buffer, 1):
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                raise DataError(
                    f"not UTF-8 (byte 0x{raw[error.start]:02x})", path="standard input", line=number,
                    remedy="convert it: iconv -f LATIN1 -t UTF-8",
                ) from error  # fmt: skip
            if not line.strip():
                raise DataError("empty text", path="standard input", line=number, remedy="remove the line")
            yield line.rstrip("\r\n")
        return
    from leanformer.data.readers import read_rows

    for row in read_rows(path, "classification"):
        yield row.text
