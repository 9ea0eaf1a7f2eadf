"""What `compress` does for an embedder: texts to learn from, and pairs of other texts to choose and to report by."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from leanformer.answers.forms import metric_name
from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.cosines import OPENER, PAIRS, PairCosines, of_pairs
from leanformer.data.dataset import SPLITS, Dataset, open_dataset
from leanformer.data.examples import Examples
from leanformer.data.overlap import normalise_all
from leanformer.errors import CheckpointError, DataError
from leanformer.files import sha256_json
from leanformer.formats import require
from leanformer.inputs.input import parts_of
from leanformer.ladder.entries import Entry
from leanformer.loading import open_predictor
from leanformer.measure.collection import is_collection
from leanformer.measure.vectors import embed, gives_vectors
from leanformer.recipe.made import find_made, note_made
from leanformer.task import Task

# At least so many texts, of which a fifth each becomes dev and test: with fewer, ranks of their pairs say little.
_LEAST, _PART, _MOST = 50, 5, 2000


@dataclass(frozen=True)
class Embedding:
    """An embedder to compress, the texts that students learn from, and the pairs that rungs are measured on."""

    teacher: Artifact
    texts: Dataset
    pairs: Dataset
    metric: str


def is_embedder(model: str) -> bool:
    """Whether the model is an embedder: an artifact, or a folder or hub name of sentence-transformers."""
    if Path(model).exists():
        return gives_vectors(model)
    from leanformer.models.store import find_checkpoint

    with suppress(CheckpointError):
        return gives_vectors(find_checkpoint(model))
    return False  # what is missing is said when it is read


def prepare_embedder(
    model: str,
    data: str | Path | Dataset,
    work: Path,
    *,
    splits: Mapping[str, str] | None = None,
    seed: int = 13,
    threads: int = 1,
    say: Callable[[str], None] = lambda line: None,
) -> Embedding:
    """The embedder as an artifact, kept in `work`, with its data.

    Data with scores of pairs (kind `similarity`) in dev and test are measured on these; all other texts, from train,
    dev, unlabelled texts, a folder of raw texts or the documents of a collection, are learnt from. Without such scores
    two fifths of the texts (at most 2,000 each) are set aside as dev and test, and the scores of their pairs are the
    teacher's cosines.

    Raises `DataError` for fewer than 50 texts, and what reading the data and the model raises.
    """
    read = _read(data, splits, seed)
    scored = read.task.kind == PAIRS.kind and read.dev is not None and read.test is not None
    kept = [read.dev, read.test] if scored else [read.test]
    held, asked = set(normalise_all(_texts(kept))), _texts([read.train, read.unlabelled, read.dev])
    texts = tuple(text for text, key in zip(asked, normalise_all(asked), strict=True) if key not in held)
    if len(texts) < _LEAST:
        raise DataError(
            f"{len(texts)} different texts to learn from; at least {_LEAST} are needed", path=read.name,
            remedy="give more texts, of train or without labels",
        )  # fmt: skip
    teacher = _take_in(model, texts, work, say)
    if scored:
        pairs, metric = replace(read, train=None, unlabelled=None), metric_name(PAIRS)
    else:
        texts, pairs = _set_aside(texts, read, teacher, seed, threads)
        metric = f"{metric_name(PAIRS)} with the teacher"
    learnt = Dataset(teacher.task, unlabelled=Examples(teacher.task, texts, None), name=read.name)
    return Embedding(teacher, learnt, pairs, metric)


def pair_entries(entries: Iterable[Entry]) -> list[Entry]:
    """Rungs of embedders as scorers of pairs; predictors that were shared remain so."""
    made: dict[int, PairCosines] = {}

    def scorer(predictor: object) -> PairCosines:
        return made.setdefault(id(predictor), PairCosines(predictor))  # type: ignore[arg-type]

    return [
        replace(
            entry, artifact=of_pairs(entry.artifact), predictor=scorer(entry.predictor), opener=OPENER,
            scorer=None if entry.scorer is None else scorer(entry.scorer),
        )
        for entry in entries
    ]  # fmt: skip


def near_pairs(vectors: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A partner for each of the vectors `[n, width]` of length 1, `[n]`, and their cosines `[n]`.

    It is the text at a rank among its neighbours that is drawn evenly on a logarithmic scale, so that there are pairs
    from near to far: those of chance are all far, and their order is noise.
    """
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    count = len(vectors)
    ranks = ((count - 1) ** np.random.default_rng(seed).random(count)).astype(int) - 1
    partners = np.argsort(-cosines, axis=1, kind="stable")[np.arange(count), ranks]
    return partners, cosines[np.arange(count), partners]


def _read(data: str | Path | Dataset, splits: Mapping[str, str] | None, seed: int) -> Dataset:
    if isinstance(data, Dataset):
        return data
    path = Path(data)
    if is_collection(path):
        return replace(open_dataset(path / "corpus.jsonl", carve=False), name=path.name)
    if path.is_dir() and not splits and not any(file.stem in SPLITS for file in path.rglob("*")):
        from leanformer.compress.pretrain.corpus import read_texts

        task = Task("classification", ())
        return Dataset(task, unlabelled=Examples(task, read_texts(path), None), name=path.name)
    return open_dataset(data, splits=splits, seed=seed, carve=False)


def _texts(parts: Sequence[Examples | None]) -> tuple[str, ...]:
    """The different texts of examples, in order, those of pairs one by one."""
    inputs = (text for part in parts if part is not None for text in part.inputs)
    return tuple(dict.fromkeys(text for asked in inputs for text in parts_of(asked) if text))


def _set_aside(
    texts: Sequence[str], read: Dataset, teacher: Artifact, seed: int, threads: int
) -> tuple[tuple[str, ...], Dataset]:
    size = min(_MOST, len(texts) // _PART)
    order = np.random.default_rng(seed).permutation(len(texts))
    predictor = open_predictor(teacher, threads=threads)

    def scored(rows: np.ndarray) -> Examples:
        chosen = [texts[row] for row in rows]
        partners, cosines = near_pairs(embed(predictor, chosen), seed)
        seconds = tuple(chosen[partner] for partner in partners)
        return Examples(PAIRS, tuple(chosen), tuple(map(float, cosines)), seconds)

    note = (
        f"no scores: {size} texts each were set aside as dev and test, each in a pair with another one, near or far; "
        "the teacher's cosines are their scores"
    )
    dev, test = scored(order[:size]), scored(order[size : 2 * size])
    pairs = Dataset(PAIRS, dev=dev, test=test, name=read.name, notes=(*read.notes, note))
    return tuple(texts[row] for row in sorted(order[2 * size :])), pairs


def _take_in(model: str, texts: Sequence[str], work: Path, say: Callable[[str], None]) -> Artifact:
    if is_artifact(model):
        teacher = open_artifact(model)
        require(teacher, "teaches", model)
        return teacher
    from leanformer.models.sentence_encoder import import_sentence_encoder
    from leanformer.models.store import find_checkpoint

    source = find_checkpoint(model)
    files = sorted(file for file in source.rglob("*") if file.is_file())
    stamps = [[str(file), file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    folder = work / f"teacher-{sha256_json(['vectors', stamps])[:16]}"
    if (found := find_made(folder, say)) is not None:
        return found
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work, prefix="teacher-") as scratch:
        import_sentence_encoder(model, texts, Path(scratch), say=say).path.rename(folder)
    note_made(folder)
    return open_artifact(folder)
