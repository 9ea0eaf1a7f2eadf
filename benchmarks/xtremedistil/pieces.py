"""What it costs a tagger of many languages that its pieces are English and know no capitals; and pieces of its own.

    python -m benchmarks.xtremedistil.pieces --transfer 50000 --epochs 1 --seeds 13 14 15 --start random --strategies
    D0-S python -m benchmarks.xtremedistil.pieces --transfer 50000 --epochs 1 --seeds 13 14 15 --strategies D4.2

Three vocabularies of a recurrent student: the teacher's pieces, and word pieces learnt from the transfer sentences,
uncased as the teacher's are and cased. For each: into how many pieces the words of every language of dev come apart,
how many of the words are unknown, and what the student comes to. From labels alone (D0-S), started at random, nothing
but the pieces tells the three apart. Reads what `xtremedistil.py` reads; writes
benchmarks/results/xtremedistil/pieces.json.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.xtremedistil.taggers import Bench, parser_of
from benchmarks.xtremedistil.vocabularies import VOCABULARIES
from leanformer.artifact import Artifact
from leanformer.compress.recurrent.distil import BiLstmStudent
from leanformer.compress.recurrent.start import plain_tokenizer
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.models.writing import TOKENIZER
from leanformer.tagging.words import words_of


def counts(tokenizer: Path, examples: Examples) -> dict[str, dict[str, float]]:
    """Of each language: pieces a word, and the share of words, in percent, that are unknown or hold what is unknown."""
    made = plain_tokenizer(tokenizer)
    unknown = made.token_to_id("[UNK]")
    assert examples.languages is not None
    found: dict[str, list[tuple[int, bool]]] = {}
    for text, language in zip(examples.texts, examples.languages, strict=True):
        for encoding in made.encode_batch(words_of(text), add_special_tokens=False):
            found.setdefault(language, []).append((len(encoding.ids), unknown in encoding.ids))
    return {
        language: {
            "pieces": round(float(np.mean([count for count, _ in words])), 3),
            "unknown": round(100 * float(np.mean([lost for _, lost in words])), 2), "n": len(words),
        }
        for language, words in found.items()
    }  # fmt: skip


def measured(bench: Bench, step: BiLstmStudent, teacher: Artifact, data: Dataset, seed: int) -> dict[str, Any]:
    """What the pieces do to the words of dev, and a student that has them."""
    found = bench.trained(step, teacher, data, seed)
    return {"each": counts(bench.student(step, teacher, data, seed).file(TOKENIZER), bench.dev), **found}


def main() -> None:
    parser = parser_of(__doc__ or "")
    parser.add_argument("--start", choices=("svd", "random"), default="svd", help="of the embeddings")
    given = parser.parse_args()
    bench = Bench(given)
    teacher, cells = bench.teacher(), bench.cells("pieces")
    for total in given.transfer:
        data = bench.transfer(total)
        for seed, strategy, vocabulary in product(given.seeds, given.strategies, VOCABULARIES):
            step = bench.step(total, strategy=strategy, start=given.start, vocabulary=vocabulary)
            cells.get(bench.settings(step, teacher, total, seed), partial(measured, bench, step, teacher, data, seed))
    bench.write("pieces")


if __name__ == "__main__":
    main()
