"""What `bench` and `gate` do for embedders: models whose answers are vectors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leanformer.cli.arguments import command_line, need_torch, open_data, pairs, say
from leanformer.errors import LeanformerError

if TYPE_CHECKING:
    from leanformer.artifact import Artifact
    from leanformer.ladder.entries import Entry

_REMEDY = "give artifacts of `leanformer embedder` or `compress`, or folders of sentence-transformers"


def open_embedder(place: str | Path, texts: Iterable[str], scratch: Path) -> Artifact:
    """The embedder at `place`; that of a folder of sentence-transformers is imported into the new folder `scratch`."""
    from leanformer.artifact import is_artifact, open_artifact
    from leanformer.measure.vectors import gives_vectors

    if not gives_vectors(place):
        raise LeanformerError(f"{place}: gives no vectors, and is compared with a model that does\n  remedy: {_REMEDY}")
    if is_artifact(place):
        return open_artifact(place)
    need_torch(f"reading {place}")
    from leanformer.models.sentence_encoder import import_sentence_encoder

    return import_sentence_encoder(str(place), list(texts)[:1000], scratch, say=say)


def open_pairs_data(data: str, split: Sequence[str] | None, seed: int) -> Any:
    """Pairs of texts with scores. Raises `DataError` for data that are anything else."""
    from leanformer.cosines import PAIRS

    return open_data(data, split, seed, task=PAIRS, single="test")


def check_pairs(data: str) -> None:
    """Raise `LeanformerError` for a collection, on which the gate judges nothing."""
    from leanformer.measure.collection import is_collection

    if is_collection(data):
        raise LeanformerError(
            f"{data}: the gate judges an embedder on pairs of texts with scores, and here are documents and queries\n"
            "  remedy: give such pairs; leanformer bench says what two embedders find here, with intervals"
        )


def pair_entries(
    places: Sequence[Path], names: Sequence[str], data: Any, threads: int, tuning: bool, scratch: Path
) -> list[Entry]:
    """Embedders as rungs that score pairs of texts."""
    from leanformer.cosines import OPENER, of_pairs
    from leanformer.ladder.entries import Entry, runtime_of
    from leanformer.loading import open_pairs

    entries: list[Entry] = []
    texts = [text for pair in data.test.inputs for text in pair]
    for number, (name, place) in enumerate(zip(names, places, strict=True)):
        stored = open_embedder(place, texts, scratch / str(number))
        predictor = open_pairs(stored, threads=threads, tuning=tuning)
        runtime = runtime_of(stored, predictor, threads)
        after = names[0] if entries else None
        entries.append(Entry(name, after, of_pairs(stored), predictor, runtime, True, False, opener=OPENER))
    return entries


def bench_retrieval(
    places: Sequence[Path], names: Sequence[str], data: Path, split: Sequence[str] | None, index: Path | None,
    threads: int, scratch: Path,
) -> dict[str, Any]:  # fmt: skip
    """The figures of retrieval of each embedder, as JSON."""
    from leanformer.loading import open_predictor
    from leanformer.measure.collection import read_collection
    from leanformer.measure.retrieval import of_embedders
    from leanformer.measure.vectors import check_index, embed

    collection = read_collection(data, pairs(split, "--split").get("test", "test"))
    texts = [*collection.queries, *collection.documents]
    opened = [
        open_embedder(place, texts, scratch / str(number))
        for number, place in enumerate([*places, *filter(None, [index])])
    ]
    shared = None
    if index is not None:
        for artifact in opened[:-1]:
            check_index(artifact, opened[-1])
        say(f"embedding {len(collection.documents)} documents with {index}")
        shared = embed(open_predictor(opened[-1], threads=threads), collection.documents)
    values = []
    for name, artifact in zip(names, opened, strict=False):
        say(f"embedding with {name}")
        predictor = open_predictor(artifact, threads=threads)
        documents = embed(predictor, collection.documents) if shared is None else shared
        values.append((embed(predictor, collection.queries), documents))
    return {
        "title": f"bench on {collection.name}, {collection.split}", "documents": len(collection.documents),
        "queries": len(collection.queries), "index": None if index is None else str(index), "command": command_line(),
        "models": [
            {"name": name, "content_hash": artifact.content_hash, "bytes": artifact.bytes, **figures}
            for name, artifact, figures in zip(names, opened, of_embedders(values, collection.gains), strict=False)
        ],
    }  # fmt: skip


def print_retrieval(found: dict[str, Any], *, as_json: bool) -> None:
    """A table with a row per model; intervals are of 95 %."""
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    where = "its own index" if found["index"] is None else f"the index of {found['index']}"
    about = f"{found['queries']:,} queries, {found['documents']:,} documents; each model with {where}"
    table = Table(title=Text(f"{found['title']}: {about}"), title_justify="left")
    names = list(found["models"][0]["figures"])
    first = names[0]
    for header in ("model", *names, "95 % interval", "lost, 95 %", "MB"):
        table.add_column(header, justify="left" if header == "model" else "right", overflow="fold")
    for model in found["models"]:
        figures, lost = model["figures"], model.get("lost")
        low, high = (100 * figures[first][end] for end in ("low", "high"))
        table.add_row(
            Text(model["name"]), *(f"{100 * figures[name]['value']:.2f}" for name in names), f"{low:.1f} to {high:.1f}",
            "-" if lost is None else f"{100 * lost[first]['low']:+.1f} to {100 * lost[first]['high']:+.1f}",
            f"{model['bytes'] / 1e6:.1f}",
        )  # fmt: skip
    Console().print(table)
    Console().print(f"Intervals are of {first}, over queries; lost: compared with the first model.", style="dim")
