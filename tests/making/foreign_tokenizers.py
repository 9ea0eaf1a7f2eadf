"""Tokenizers of the kinds that the families use, trained on the spot: byte-level BPE, Unigram, WordPiece."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from tests.making.tiny import tiny_texts

_ROBERTA = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_BERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def train_tokenizer(kind: str, folder: Path) -> int:
    """Write a `tokenizer.json` of a kind (byte-level, unigram, wordpiece) into `folder`; its vocabulary size."""
    texts = tiny_texts(200, seed=4)[0]
    specials = list(_BERT if kind == "wordpiece" else _ROBERTA)
    options = {"vocab_size": 320, "special_tokens": specials, "show_progress": False}
    if kind == "byte-level":
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), **options)
    elif kind == "unigram":
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizers.NFKC()
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(unk_token="<unk>", **options)
    else:
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(**options)
    tokenizer.train_from_iterator(texts, trainer)
    first, last = ("[CLS]", "[SEP]") if kind == "wordpiece" else ("<s>", "</s>")
    ids = [(piece, tokenizer.token_to_id(piece)) for piece in (first, last)]
    middle = "[SEP] $B:1 [SEP]:1" if kind == "wordpiece" else "</s> </s> $B </s>"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}", pair=f"{first} $A {middle}", special_tokens=ids
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer.get_vocab_size()
