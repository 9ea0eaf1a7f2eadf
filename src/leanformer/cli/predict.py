"""`leanformer predict`: answers for texts, or for pairs of texts."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leanformer.cli.arguments import ExitsOption, LongOption, OverlapOption, ThreadsOption, TuningOption, as_text, say
from leanformer.errors import LeanformerError
from leanformer.task import Task

if TYPE_CHECKING:
    from leanformer.bulk import Asked, Tally
    from leanformer.predictor import Predictor

_CHUNK = 4096


def predict(
    artifact: Annotated[Path, typer.Argument(metavar="ARTIFACT", help="Folder of the artifact.")],
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT]...", help="Texts to predict for; for pairs, the first texts.")
    ] = None,
    pair: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="The second text of a pair; once per TEXT, in order.")
    ] = None,
    choice: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="A candidate to choose from, for the one TEXT; at least twice."),
    ] = None,
    context: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The text that the answers to all TEXTs, its questions, are in.")
    ] = None,
    input: Annotated[
        Path | None, typer.Option(help="File of texts (.txt with one per line, .jsonl, .csv, .tsv); - for stdin.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="JSON Lines file to write; default: standard output.")] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN[=NAME]", help="Column of the file to copy into the answers; `id` is always copied."
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first row without an answer, and write nothing.")
    ] = False,
    long: LongOption = None,
    overlap: OverlapOption = None,
    threads: ThreadsOption = None,
    tuning: TuningOption = True,
    exits: ExitsOption = True,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Score the file on a Ray cluster (extra `cluster`); local: on this machine."
        ),
    ] = None,
    part_rows: Annotated[
        int, typer.Option(min=1, help="With --ray: rows per part; a part is redone as a whole.")
    ] = 4096,
) -> None:
    """Predict for texts, pairs or questions with candidates or a context: one JSON object per input, with its number.

    For pairs the file needs both columns, text and text_pair; for questions with candidates text and choices, and
    for answers in a context question and context. A row
    without an answer, such as a blank line, gets an `error` instead, and a warning counts such rows. The exit status is
    0 unless no row at all has an answer.

    With --ray, --threads is the number of cores per task (default 1). A stopped run resumes when the same command is
    run again.
    """
    from leanformer.bulk import Tally, answer_rows, strictly, to_line
    from leanformer.data.reading.asked import read_asked
    from leanformer.files import new_file
    from leanformer.loading import open_predictor

    if bool(texts) == (input is not None):
        raise LeanformerError("give texts, or --input FILE, and not both")
    if output is not None:
        _check_output(output, input)
    if ray is not None:
        if input is None or str(input) == "-" or output is None:
            raise LeanformerError(
                "--ray scores files\n  remedy: --input FILE --output FILE, on storage all machines share"
            )
        if long is not None or overlap is not None:
            raise LeanformerError(
                "--long, --overlap: with --ray, models read as they were trained\n  remedy: leave them out"
            )
        if not exits:
            raise LeanformerError("--no-exits: with --ray, models run as they are\n  remedy: leave it out")
        _score_on_ray(artifact, input, output, _columns(keep), strict, ray, threads or 1, part_rows, tuning)
        return
    predictor = open_predictor(artifact, threads=threads, tuning=tuning, exits=exits)
    if long is not None or overlap is not None:
        if (read_long := getattr(predictor, "read_long", None)) is None:
            raise LeanformerError(f"{artifact}: reads texts in one way\n  remedy: leave --long and --overlap out")
        read_long(long, overlap)
    if texts and keep:
        raise LeanformerError("--keep is for columns of a file\n  remedy: give --input FILE")
    if texts and len(pair or ()) not in (0, len(texts)):
        raise LeanformerError(f"{len(texts)} texts and {len(pair or ())} --pair\n  remedy: --pair TEXT for each TEXT")
    if context is not None:
        pair = [context] * len(texts or ())
    rows = (
        _given(texts, pair, choice, predictor.task) if texts
        else read_asked(input or Path("-"), predictor.task, _columns(keep))
    )  # fmt: skip
    tally = Tally()

    def lines() -> Iterator[str]:
        told = False
        for record in answer_rows(predictor, strictly(rows) if strict else rows, _CHUNK):
            if not told and "error" not in record:
                told = True
                say(f"engine: {predictor.engine_used}")
            tally.count(record)
            yield to_line(record)
        tally.check()

    if output is None:
        if sys.stdout is None:
            raise LeanformerError("standard output is closed, and would lose the answers\n  remedy: give --output FILE")
        for line in lines():
            print(line)
        _say_without(tally)
        _say_routes(predictor)
        return
    with new_file(output) as temporary, open(temporary, "w", encoding="utf-8") as handle:
        handle.writelines(line + "\n" for line in lines())
    _say_without(tally)
    _say_routes(predictor)


def _check_output(output: Path, source: Path | None) -> None:
    from leanformer.outputs.written import check_file, is_answers

    if output.is_dir() or not output.parent.is_dir():
        raise LeanformerError(f"{output}: a folder, or in no folder; it cannot be written\n  remedy: name a file")
    check_file(output, "answers of `leanformer predict`", is_answers, [] if source is None else [source])


def _say_without(tally: Tally) -> None:
    if tally.without:
        have, first = ("has", "") if tally.without == 1 else ("have", "first ")
        say(
            f'warning: {tally.without:,} of {tally.rows:,} rows {have} no answer but an "error"; {first}{tally.first}\n'
            "  remedy: correct them; --strict stops at the first and says more"
        )


def _columns(keep: Sequence[str] | None) -> dict[str, str]:
    """Column -> the name that it gets in the answer."""
    columns = {}
    for given in keep or ():
        column, _, name = given.partition("=")
        columns[column] = name or column
    return columns


def _score_on_ray(
    folder: Path, source: Path, output: Path, keep: Mapping[str, str], strict: bool, address: str, cores: int,
    rows: int, tuning: bool,
) -> None:  # fmt: skip
    from leanformer.artifact import open_artifact
    from leanformer.bulk import strictly
    from leanformer.cluster.scoring import score_file
    from leanformer.data.reading.asked import read_asked
    from leanformer.files import sha256_file
    from leanformer.runtime.cores import allowed_cores

    if not source.is_file():
        raise LeanformerError(f"{source}: no such file\n  remedy: name a file of texts")
    artifact = open_artifact(folder)

    def read() -> Iterator[Asked]:
        asked = read_asked(source, artifact.task, keep)
        return strictly(asked) if strict else asked

    done = score_file(
        artifact.path, artifact.content_hash, read, output,
        source=sha256_file(source), kept=keep, address=address, local_cores=allowed_cores(), cores=cores, rows=rows,
        tuning=tuning, say=say,
    )  # fmt: skip
    for engine in done.engines:
        say(f"engine: {engine}")
    resumed = f", {done.resumed:,} of them from an earlier run" if done.resumed else ""
    say(f"{output}: {done.tally.rows - done.tally.without:,} answers in {done.parts:,} parts{resumed}")
    _say_without(done.tally)


def _say_routes(predictor: Predictor) -> None:
    """Of a cascade, the share of texts that went on to a larger model; of early exits, the share that left at each."""
    from leanformer.cascade.predictor import CascadePredictor
    from leanformer.render.cascade import left_early, went_on

    if isinstance(predictor, CascadePredictor):
        say(f"note: of {sum(predictor.answered):,} texts went on: {went_on(predictor.answered)}")
    light: Any = predictor
    if counts := getattr(light, "left_at", None):
        say(f"note: of {sum(counts):,} texts left early: {left_early(light.exits.layers, counts)}")


def _given(texts: list[str], seconds: list[str] | None, choices: list[str] | None, task: Task) -> Iterator[Asked]:
    from leanformer.bulk import numbered
    from leanformer.questions import check_texts, is_empty

    texts = [as_text(text) for text in texts]
    seconds, candidates = ([as_text(text) for text in given or ()] for given in (seconds, choices))
    for text in [*texts, *seconds, *candidates]:
        if is_empty(text) or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise LeanformerError(f"{text!r} is not a text\n  remedy: give at least one word, in UTF-8")
    if candidates and (seconds or len(texts) > 1):
        raise LeanformerError(
            "--choice gives the candidates of one TEXT, without --pair\n"
            "  remedy: for several questions, --input FILE with a column choices"
        )
    questions: list[Any] = [(text, tuple(candidates)) for text in texts] if candidates else texts
    if seconds:
        questions = list(zip(texts, seconds, strict=True))
    check_texts(questions, task)
    return numbered(questions)
