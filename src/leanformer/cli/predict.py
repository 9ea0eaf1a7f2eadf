"""`leanformer predict`: answers for texts, or for pairs of texts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leanformer.cli.arguments import ThreadsOption, TuningOption, as_text, say
from leanformer.errors import DataError, LeanformerError
from leanformer.task import Task, Text

if TYPE_CHECKING:
    from leanformer.predictor import Predictor
    from leanformer.questions import Question

_CHUNK = 4096


def predict(
    artifact: Annotated[Path, typer.Argument(metavar="ARTIFACT", help="Folder of the artifact.")],
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT]...", help="Texts to label; of pairs the first ones.")
    ] = None,
    pair: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="The second text of a pair; once for each TEXT, in order.")
    ] = None,
    input: Annotated[
        Path | None, typer.Option(help="File of texts (.txt one a line, .jsonl, .csv, .tsv); - for stdin.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="JSON Lines file to write; default: standard output.")] = None,
    threads: ThreadsOption = None,
    tuning: TuningOption = True,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Score the file on a Ray cluster (extra `cluster`); local: on this machine."
        ),
    ] = None,
    part_rows: Annotated[
        int, typer.Option(min=1, help="With --ray: rows in a part, which is done or not done.")
    ] = 4096,
) -> None:
    """Label texts, or pairs of texts; one JSON object for each, in order.

    For pairs the file has both columns, text and text_pair. With --ray, --threads are the cores of each task, 1 if not
    given; a run that was stopped goes on when the same command is given again.
    """
    from leanformer.files import new_file
    from leanformer.loading import open_predictor
    from leanformer.predictor import answers_by_chunk, chunked, to_record
    from leanformer.questions import check_texts

    if bool(texts) == (input is not None):
        raise LeanformerError("give texts, or --input FILE, and not both")
    if output is not None:
        _check_output(output, input)
    if ray is not None:
        if input is None or str(input) == "-" or output is None:
            raise LeanformerError(
                "--ray scores files\n  remedy: --input FILE --output FILE, on storage all machines share"
            )
        _score_on_ray(artifact, input, output, ray, threads or 1, part_rows, tuning)
        return
    predictor = open_predictor(artifact, threads=threads, tuning=tuning)
    task = predictor.task
    if texts and len(pair or ()) not in (0, len(texts)):
        raise LeanformerError(f"{len(texts)} texts and {len(pair or ())} --pair\n  remedy: --pair TEXT for each TEXT")
    source: Iterator[Question] = _given(texts, pair) if texts else _read(input or Path("-"), task)

    def checked(chunk: list[Question]) -> list[Question]:
        check_texts(chunk, task)
        return chunk

    def lines() -> Iterator[str]:
        for chunk, found in answers_by_chunk(predictor, map(checked, chunked(source, _CHUNK))):
            for text, one in zip(chunk, found, strict=True):
                yield json.dumps(to_record(text, one), ensure_ascii=False)

    if output is None:
        for line in lines():
            print(line)
        _say_routes(predictor)
        return
    with new_file(output) as temporary, open(temporary, "w", encoding="utf-8") as handle:
        handle.writelines(line + "\n" for line in lines())
    _say_routes(predictor)


def _check_output(output: Path, source: Path | None) -> None:
    from leanformer.outputs.written import check_file, is_answers

    if output.is_dir() or not output.parent.is_dir():
        raise LeanformerError(f"{output}: a folder, or in no folder; it cannot be written\n  remedy: name a file")
    check_file(output, "answers of `leanformer predict`", is_answers, [] if source is None else [source])


def _score_on_ray(folder: Path, source: Path, output: Path, address: str, cores: int, rows: int, tuning: bool) -> None:
    from leanformer.artifact import open_artifact
    from leanformer.cluster.scoring import score_file
    from leanformer.files import sha256_file
    from leanformer.runtime.cores import allowed_cores

    if not source.is_file():
        raise LeanformerError(f"{source}: no such file\n  remedy: name a file of texts")
    artifact = open_artifact(folder)
    done = score_file(
        artifact.path, artifact.content_hash, artifact.task, lambda: _read(source, artifact.task), output,
        source=sha256_file(source), address=address, local_cores=allowed_cores(), cores=cores, rows=rows,
        tuning=tuning, say=say,
    )  # fmt: skip
    resumed = f", {done.resumed:,} of them from an earlier run" if done.resumed else ""
    say(f"{output}: {done.answers:,} answers in {done.parts:,} parts{resumed}")


def _say_routes(predictor: Predictor) -> None:
    """Of a cascade, the share of texts that went on to a larger model."""
    from leanformer.cascade.predictor import CascadePredictor
    from leanformer.render.cascade import went_on

    if isinstance(predictor, CascadePredictor):
        say(f"note: of {sum(predictor.answered):,} texts went on: {went_on(predictor.answered)}")


def _given(texts: list[str], seconds: list[str] | None) -> Iterator[Text]:
    texts, seconds = [as_text(one) for one in texts], None if seconds is None else [as_text(one) for one in seconds]
    for text in [*texts, *(seconds or ())]:
        if not text.strip() or any("\ud800" <= one <= "\udfff" for one in text):
            raise LeanformerError(f"{text!r} is no text\n  remedy: give at least one word, in UTF-8")
    yield from zip(texts, seconds, strict=True) if seconds else texts


def _read(path: Path, task: Task) -> Iterator[Question]:
    pairs = task.pairs
    if str(path) == "-":
        if pairs:
            raise LeanformerError("--input -: standard input is one text a line\n  remedy: give pairs in a .jsonl file")
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
    from leanformer.data.readers import iterate_rows, read_questions

    if task.answer == "tags":
        yield from read_questions(path)
        return
    # Labels of any kind may stand in the file; nothing here looks at them.
    for row in iterate_rows(path):
        if pairs and row.pair is None:
            raise DataError(
                "no second text ('text_pair'), and the model was made for pairs", path=path, line=row.line,
                remedy="give every row a text_pair",
            )  # fmt: skip
        if not pairs and row.pair is not None:
            raise DataError(
                "a second text ('text_pair'), and the model was made for single texts", path=path, line=row.line,
                remedy="remove the column",
            )  # fmt: skip
        yield row.text if row.pair is None else (row.text, row.pair)
