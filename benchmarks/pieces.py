"""What it costs a tagger of many languages that its pieces are English and know no capitals.

    python benchmarks/pieces.py --transfer 50000 --epochs 1 --seeds 13 14 15

Three sets of word pieces: the teacher's own, and two of the same number that are learnt from the transfer sentences,
uncased as the teacher's are and cased. For each: into how many pieces the words of every language of dev come apart,
how many of the words are unknown, and what a recurrent student comes to that learns from labels alone (D0-S) and starts
at random, so that nothing but the pieces tells the three apart. Reads what `xtremedistil.py` reads; writes
benchmarks/results/xtremedistil/pieces.json.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cell_tables import PIECES
from taggers import Bench, parser_of
from tokenizers import Tokenizer as RustTokenizer
from tokenizers import models, normalizers, pre_tokenizers, processors, trainers

from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.compress.bilstm import BiLstmStudent
from leanformer.data.examples import Examples
from leanformer.models.classifier import Classifier
from leanformer.models.store import read_model, write_classifier
from leanformer.models.writing import TOKENIZER
from leanformer.tagging.words import words_of

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def learnt(texts: tuple[str, ...], size: int, *, cased: bool) -> RustTokenizer:
    """At most `size` word pieces as BERT has them, learnt from texts."""
    made = RustTokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=not cased, strip_accents=not cased)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.train_from_iterator(
        texts, trainers.WordPieceTrainer(vocab_size=size, special_tokens=list(SPECIAL), show_progress=False)
    )
    made.post_processor = processors.BertProcessing(*((one, SPECIAL.index(one)) for one in ("[SEP]", "[CLS]")))
    return made


def bare(bench: Bench, name: str, texts: tuple[str, ...]) -> Artifact:
    """An encoder that nothing is taken of but its pieces and its width; made now or found."""
    teacher = bench.teacher()
    folder = bench.work / "pieces" / f"{teacher.content_hash[:16]}-{len(texts)}-{PIECES.index(name)}"
    if is_artifact(folder):
        return open_artifact(folder)
    config, path = read_model(teacher).config, teacher.file(TOKENIZER)
    if name != PIECES[0]:
        tokenizer = learnt(texts, config.vocabulary, cased=name == PIECES[2])
        path = folder.with_suffix(".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        tokenizer.save(str(path))
        config = replace(config, vocabulary=tokenizer.get_vocab_size())
    torch.manual_seed(0)
    model = Classifier(replace(config, layers=config.layers[:1]))
    return write_classifier(
        model, folder, task=bench.corpus.task, tokenizer=path, max_tokens=teacher.max_tokens, history=[]
    )


def counts(tokenizer: Path, examples: Examples) -> dict[str, dict[str, float]]:
    """Of each language: pieces a word, and the share of words, in percent, that are unknown or hold what is unknown."""
    made = RustTokenizer.from_file(str(tokenizer))
    made.no_truncation()
    unknown = made.token_to_id(SPECIAL[1])
    assert examples.languages is not None
    found: dict[str, list[tuple[int, bool]]] = {}
    for text, language in zip(examples.texts, examples.languages, strict=True):
        for one in made.encode_batch(words_of(text), add_special_tokens=False):
            found.setdefault(language, []).append((len(one.ids), unknown in one.ids))
    return {
        language: {
            "pieces": round(float(np.mean([count for count, _ in words])), 3),
            "unknown": round(100 * float(np.mean([lost for _, lost in words])), 2), "n": len(words),
        }
        for language, words in found.items()
    }  # fmt: skip


def trained(bench: Bench, name: str, total: int, seed: int) -> dict[str, Any]:
    """What the pieces do to the words of dev, and a student that has them."""
    data = bench.transfer(total)
    assert data.train is not None
    encoder = bare(bench, name, data.train.texts)
    found = bench.trained(step_of(bench, total), encoder, data, seed)
    return {"each": counts(encoder.file(TOKENIZER), bench.dev), **found}


def step_of(bench: Bench, total: int) -> BiLstmStudent:
    return bench.step(total, strategy="D0-S", start="random")


def main() -> None:
    given = parser_of(__doc__ or "").parse_args()
    bench = Bench(given)
    cells = bench.cells("pieces")
    for total, seed, name in product(given.transfer, given.seeds, PIECES):
        settings = bench.settings(step_of(bench, total), bench.teacher(), total, seed, pieces=name)
        cells.get(settings, partial(trained, bench, name, total, seed))
    bench.write("pieces")


if __name__ == "__main__":
    main()
