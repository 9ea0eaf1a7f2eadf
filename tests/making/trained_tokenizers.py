"""Tokenizers of every kind that can be trimmed, trained on the spot by the `tokenizers` library."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from leanformer.data.sample.sample import generate_sample

BERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ROBERTA = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
FOREIGN = (
    "der Zug nach München fährt heute nicht, weil die Gleise überschwemmt sind",
    "le café près de la gare était fermé à cause de la grève générale",
    "поезд прибывает на вторую платформу через десять минут",
    "次の電車は三番線から発車します",
    "el próximo tren sale mañana por la mañana a las ocho y cuarto",
    "προσοχή στο κενό μεταξύ συρμού και αποβάθρας 🚆🙂",
)


@cache
def requests(seed: int = 13, count: int = 400) -> tuple[str, ...]:
    """Generated English requests; two seeds share most of their words and few of their sentences."""
    data = generate_sample(seed=seed, train=count, dev=0, test=0, unlabelled=0)
    assert data.train is not None
    return data.train.texts


def _wordpiece() -> Tokenizer:
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    made.train_from_iterator(
        [*requests(), *FOREIGN],
        trainers.WordPieceTrainer(vocab_size=1500, special_tokens=list(BERT), show_progress=False),
    )
    made.post_processor = processors.BertProcessing(*((name, made.token_to_id(name)) for name in ("[SEP]", "[CLS]")))
    return made


def _byte_bpe() -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1500, special_tokens=list(ROBERTA), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    made.train_from_iterator([*requests(), *FOREIGN], trainer)
    made.post_processor = processors.RobertaProcessing(*((name, made.token_to_id(name)) for name in ("</s>", "<s>")))
    return made


def _unigram() -> Tokenizer:
    made = Tokenizer(models.Unigram())
    made.normalizer, made.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=900, special_tokens=list(ROBERTA), unk_token="<unk>", show_progress=False
    )
    made.train_from_iterator([*requests(), *FOREIGN * 3], trainer)
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>",
        special_tokens=[(name, made.token_to_id(name)) for name in ("<s>", "</s>")],
    )  # fmt: skip
    return made


_MAKERS: dict[str, tuple[Callable[[], Tokenizer], str]] = {
    "WordPiece": (_wordpiece, "[PAD]"), "BPE": (_byte_bpe, "<pad>"), "Unigram": (_unigram, "<pad>"),
}  # fmt: skip
KINDS = tuple(_MAKERS)


@cache
def _written(kind: str) -> str:
    """With padding, and with two added tokens that the model has no pieces for, one of them not special."""
    make, padding = _MAKERS[kind]
    made = make()
    made.add_special_tokens(["<order>"])
    made.add_tokens(["TICKET-42"])
    made.enable_padding(pad_id=made.token_to_id(padding), pad_token=padding)
    return str(made.to_str())


def trained(kind: str) -> dict[str, Any]:
    """The `tokenizer.json` of one of `KINDS`, parsed; a new copy each time."""
    value: dict[str, Any] = json.loads(_written(kind))
    return value


def size(spec: dict[str, Any]) -> int:
    """Pieces and added tokens together."""
    return int(Tokenizer.from_str(json.dumps(spec)).get_vocab_size())
