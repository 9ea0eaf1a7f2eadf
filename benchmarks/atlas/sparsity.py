"""Sparsity and few bits, measured alike: benchmarks/results/atlas/sparsity.json.

    python -m benchmarks.atlas.sparsity
    python -m benchmarks.atlas.sparsity --only gptq movement --sets trec --seeds 13
    python -m benchmarks.atlas.sparsity --quick

reads $LEANFORMER_DATA, but for `--quick`. MiniLM is fine-tuned for a fixed number of steps; a technique is applied to
the result, or is a training of as many steps from the pre-trained encoder, or (XTC, BiT) of as many again. Quality is
accuracy on test, read once for each cell. Beside each technique are

- the dense model that it is compared with: the first layers of MiniLM with their largest feed-forward units, trained
  for the same steps, with as many bytes in fp16 or a little less (up to 128 units of a layer);
- the plain way to as many bytes or almost: weights left out at random in the same pattern, or rounded to the nearest;
- the trained model itself, whose maps are in fp16.

All files have the word table in int8 with a scale for each row, and everything else that is no linear map of a layer in
fp16; bytes are those of the whole file, and the bits of a weight those of the maps. What a file gives back is what is
judged. Times are those of PyTorch on one thread, text by text, and only where a technique has fewer operations there.

Each cell is stored when it is made, so a killed run goes on. `--quick` runs every technique at toy size in seconds, and
writes below benchmarks/work/.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from benchmarks.atlas.cells import Unrecorded, write_table
from benchmarks.atlas.compressing import APPLY, Case, Made
from benchmarks.atlas.entries import Technique, read_atlas
from benchmarks.atlas.finetuned import Start, right, start, toy_start
from benchmarks.atlas.table import about, compared, verdict
from benchmarks.paths import RESULTS, WORK
from benchmarks.xtremedistil.cell_store import Cells
from leanformer.compress.quantise.nearest import nearest
from leanformer.compress.stored import VALUE
from leanformer.files import sha256_json
from leanformer.models.classifier import Classifier
from leanformer.models.maps import maps

BENCH, CONTROL, SEEDS, SETS = "sparsity", "dense", (13, 14, 15), ("trec", "banking77", "sst2")
NOT_FASTER = "not faster on this CPU"

# The usual options of each technique, and the plain way to as many bytes.
_QUARTER, _HALF = {"density": 0.25}, {"density": 0.5}
USUAL: dict[str, dict[str, Any]] = {
    "magnitude": _HALF, "two_four": {"keep": 2, "of": 4}, "blocks": {"density": 0.5, "block": 32},
    "low_rank": _HALF, "group_lasso": {"strength": 40.0, "density": 0.5}, "l0": {"strength": 0.5, "start": 2.0},
    "layerwise_obs": _HALF, "obert": _HALF, "gradual": _QUARTER, "movement": _QUARTER,
    "soft_movement": {"strength": 1500.0, "threshold": 0.1}, "regrowth": _QUARTER, "early_pruning": _QUARTER,
    "lottery": _QUARTER, "stabilised_lottery": {"density": 0.25, "share": 0.1, "signs": True}, "q8bert": {"bits": 8},
    "q_bert": {"low": 3, "high": 4, "group": 128}, "quant_noise": {"bits": 4, "group": 32, "probability": 0.5},
    "i_bert": {"bits": 8}, "gobo": {"bits": 3, "log_density": -4.0}, "llm_int8": {"threshold": 6.0}, "ternary": {},
    "binary": {}, "bit": {"inputs": 4}, "xtc": {}, "fp8": {"exponent": 4, "mantissa": 3},
    "block_floating": {"mantissa": 3, "block": 16}, "smooth_quant": {"alpha": 0.5, "bits": 8, "inputs": 8},
    "outlier_suppression": {"bits": 6, "inputs": 6},
    "layerwise_distillation": {"bits": 3, "group": 32, "steps": 64}, "word_table": {"bits": 4, "group": 32},
    "gptq": {"bits": 3, "group": 32, "symmetric": False},
    "choose_bits": {"bits": [2, 3, 4, 6, 8], "group": 128, "budget": 3.4},
}  # fmt: skip
_PLAIN_8 = ("nearest_inputs", {"bits": 8, "inputs": 8})
PLAIN: dict[str, tuple[str, dict[str, Any]]] = {
    **dict.fromkeys(("magnitude", "layerwise_obs", "obert"), ("random_weights", _HALF)),
    "two_four": ("random_pattern", {"keep": 2, "of": 4}), "blocks": ("random_trained", {"density": 0.5, "block": 32}),
    "low_rank": ("random_ranks", _HALF), "group_lasso": ("random_units", _HALF), "l0": ("random_units", _HALF),
    **dict.fromkeys(
        ("gradual", "movement", "soft_movement", "regrowth", "early_pruning", "lottery", "stabilised_lottery"),
        ("random_trained", _QUARTER),
    ),
    **dict.fromkeys(("q8bert", "i_bert", "llm_int8", "fp8", "smooth_quant"), _PLAIN_8),
    "outlier_suppression": ("nearest_inputs", {"bits": 6, "inputs": 6}),
    "q_bert": ("nearest", {"bits": 3, "group": 32}), "choose_bits": ("nearest", {"bits": 3, "group": 32}),
    "gobo": ("nearest", {"bits": 3, "group": 128}), "quant_noise": ("nearest", {"bits": 4, "group": 32}),
    "block_floating": ("nearest", {"bits": 4, "group": 32}),
    **dict.fromkeys(("ternary", "xtc"), ("nearest", {"bits": 1.6})),
    **dict.fromkeys(("binary", "bit"), ("nearest", {"bits": 1})),
    **dict.fromkeys(
        ("gptq", "layerwise_distillation"), ("nearest", {"bits": 3, "group": 32, "symmetric": False})
    ),
    "word_table": ("nearest_table", {"bits": 4, "group": 0, "symmetric": True}),
}  # fmt: skip


@dataclass(frozen=True)
class Sizes:
    """Of every training, and of the texts that a technique may look at."""

    steps: int = 120
    batch: int = 16
    rate: float = 1e-4
    texts: int = 128
    units: int = 128  # the widths of dense models are multiples of it


SIZES, QUICK = Sizes(), Sizes(steps=6, batch=8, rate=3e-3, texts=16, units=8)


class Sparsity:
    """The cells of the bench.

    Args:
        work: where cells and trained models are kept. result: the table's file. quick: toy sizes.
    """

    def __init__(self, work: Path, result: Path, *, quick: bool = False) -> None:
        self.work, self.result, self.quick, self.sizes = work, result, quick, QUICK if quick else SIZES
        self.cells = (Unrecorded if quick else Cells)(work / "cells", 1, result)
        self._cases: dict[tuple[str, int], Case] = {}
        torch.set_num_threads(1)

    def case(self, name: str, seed: int) -> Case:
        """The trained model of a set and a seed, made once and kept in the work folder."""
        if (name, seed) not in self._cases:
            self._cases.clear()  # gradients and moments of one are enough memory
            begun = toy_start(13) if self.quick else start(name, None, seed)
            sizes = self.sizes
            case = Case(begun, begun.make(seed), seed, sizes.steps, sizes.batch, sizes.rate, sizes.texts)
            key = sha256_json([name, seed, asdict(sizes), begun.content_hash])[:16]
            path = self.work / "teachers" / f"{key}.safetensors"
            if not path.is_file():
                model = case.trained()
                stored(Made(model, 0, whole=True))
                path.parent.mkdir(parents=True, exist_ok=True)
                save_file(model.state_dict(), path)
            case.teacher.load_state_dict(load_file(path))
            case.teacher.eval()
            self._cases[name, seed] = case
        return self._cases[name, seed]

    def quality(self, kind: str, options: Mapping[str, Any], name: str, seed: int) -> dict[str, Any]:
        """The cell of one technique or control."""
        case = self.case(name, seed)
        settings = {
            "part": "quality", "kind": kind, "options": dict(options), "set": name, "seed": seed,
            "sizes": asdict(self.sizes), "data": case.begun.content_hash,
        }  # fmt: skip

        def made() -> dict[str, Any]:
            torch.manual_seed(seed)
            began = time.process_time()
            found = APPLY[kind](case, **options)
            seconds = time.process_time() - began
            size = stored(found)
            result = {
                "right": right(found.model, case.begun.test), "bytes": size, "map_bits": found.bits,
                "map_weights": sum(part.weight.numel() for part in maps(case.teacher).values()),
                "cpu_seconds_made": round(seconds, 1),
            }  # fmt: skip
            if found.smaller:
                result |= timed(found.model, case.teacher, case.begun)
            for undo in found.undo:
                undo()
            return result

        return self.cells.get(settings, made)

    def whole(self, name: str, seed: int) -> dict[str, Any]:
        """The cell of the trained model itself."""
        layers = self.case(name, seed).teacher.config.layers
        return self.quality("dense", {"layers": len(layers), "ffn": layers[0].ffn}, name, seed)

    def technique(self, kind: str, options: Mapping[str, Any], name: str, seed: int) -> None:
        """The cells of a technique and of what stands beside it."""
        self.whole(name, seed)
        own = self.quality(kind, options, name, seed)
        if kind in PLAIN:
            self.quality(*plain_of(kind, quick=self.quick), name, seed)
        shape = dense_shape(self.case(name, seed).teacher, room(own, self.whole(name, seed)), self.sizes.units)
        self.quality("dense", shape, name, seed)

    def write(self, techniques: Sequence[Technique]) -> list[dict[str, Any]]:
        """Store the table of all cells made so far; its rows."""
        return write_table(self.result, self.cells, lambda cells: table(techniques, cells))


def plain_of(kind: str, *, quick: bool) -> tuple[str, dict[str, Any]]:
    """The plain way to as many bytes; blocks and groups of a toy model are smaller."""
    name, options = PLAIN[kind]
    least = {"block": 8, "group": 32} if quick else {}
    return name, {key: min(value, least.get(key, value)) for key, value in options.items()}


@torch.no_grad()
def stored(made: Made) -> int:
    """Change a model to what its file gives back, and return the bytes of that file: see the head of this program."""
    model = made.model
    parts = {id(part.weight) for part in maps(model).values()}
    word = model.encoder.embeddings.word.weight
    bits = made.bits
    if made.table is None:
        rows = nearest(word, bits=8)
        word.copy_(rows.weight)
        bits += rows.bits
    else:
        bits += made.table
    for parameter in model.parameters():
        if parameter is word:
            continue
        if id(parameter) not in parts:
            bits += VALUE * parameter.numel()
        if id(parameter) not in parts or made.whole:
            parameter.copy_(parameter.half().float())
    return -(-bits // 8)


def room(own: Mapping[str, Any], whole: Mapping[str, Any]) -> float:
    """How many values in fp16 a dense model of as many bytes has in its maps."""
    rest = whole["bytes"] - whole["map_bits"] / 8
    return 8 * float(own["bytes"] - rest) / VALUE


def dense_shape(model: Classifier, values: float, multiple: int) -> dict[str, int]:
    """As few layers as can hold so many weights in their maps, all alike, and the width of their blocks.

    Where less than one layer is left, it is one layer with the fewest units, and larger than asked.
    """
    config = model.config
    attention = 4 * config.hidden * config.layers[0].heads * config.head_size
    unit, most = 2 * config.hidden, config.layers[0].ffn
    layers = min(len(config.layers), max(1, -(-int(values) // (attention + unit * most))))
    ffn = int((values / layers - attention) / unit)
    return {"layers": layers, "ffn": min(most, max(multiple, ffn // multiple * multiple))}


@torch.inference_mode()
def timed(model: Classifier, teacher: Classifier, begun: Start, texts: int = 40) -> dict[str, float]:
    """Milliseconds of a text, in the median, of the model and of the teacher, measured in turn."""
    rows = [torch.from_numpy(np.array(row, dtype=np.int64))[None] for row in begun.test.rows[:texts]]
    times: list[list[float]] = [[], []]
    for _ in range(3):
        for row in rows:
            for place, network in enumerate((model, teacher)):
                start_ = time.perf_counter()
                network(row, torch.ones_like(row))
                times[place].append(time.perf_counter() - start_)
    ours, theirs = (round(1000 * float(np.median(part)), 2) for part in times)
    return {"ms": ours, "teacher_ms": theirs}


def options_of(technique: Technique, *, quick: bool) -> dict[str, Any]:
    """The options of a technique: the usual ones, or those of a toy model."""
    return USUAL[technique.kind] | (dict(technique.toy) if quick else {})


def table(techniques: Sequence[Technique], cells: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each technique and set that has been measured."""
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for cell in cells:
        by_kind.setdefault(cell["settings"]["kind"], []).append(cell)
    rows = []
    for technique in techniques:
        own = by_kind.get(technique.kind, [])
        for name in sorted({cell["settings"]["set"] for cell in own}, key=[*SETS, "nested lists"].index):
            options = options_of(technique, quick=name not in SETS)
            mine = {
                cell["settings"]["seed"]: cell for cell in own
                if cell["settings"]["set"] == name and cell["settings"]["options"] == options
            }  # fmt: skip
            if found := _row(technique, name, mine, by_kind):
                rows.append(found)
    return rows


def _row(
    technique: Technique, name: str, own: Mapping[int, Mapping[str, Any]], cells: Mapping[str, list[Mapping[str, Any]]]
) -> dict[str, Any] | None:
    dense: dict[int, list[Mapping[str, Any]]] = {}
    for cell in cells.get("dense", []):
        if cell["settings"]["set"] == name:
            dense.setdefault(cell["settings"]["seed"], []).append(cell)
    own = {seed: cell for seed, cell in own.items() if seed in dense}
    if not own:
        return None
    whole = {seed: max(dense[seed], key=lambda cell: cell["map_bits"]) for seed in own}
    small = {seed: _control(cell, dense[seed]) for seed, cell in own.items()}
    rights = {seed: cell["right"] for seed, cell in own.items()}
    found = about(technique, CONTROL) | compared(rights, {seed: cell["right"] for seed, cell in small.items()})
    found |= {"set": name, "verdict": verdict(found["low"], found["high"])}
    found |= _beside("dense", rights, whole)
    if technique.kind in PLAIN:
        kind, options = plain_of(technique.kind, quick=name not in SETS)
        plain = {
            cell["settings"]["seed"]: cell for cell in cells.get(kind, [])
            if cell["settings"]["set"] == name and cell["settings"]["options"] == options
        }  # fmt: skip
        if set(plain) & set(own):
            found |= _beside("plain", rights, plain) | {"plain": _told(PLAIN[technique.kind])}
            found["plain_bytes"] = _mean(plain, "bytes")
    first = next(iter(own.values()))
    found |= {
        "bytes": _mean(own, "bytes"), "control_bytes": _mean(small, "bytes"),
        "bits_a_weight": round(float(np.mean([cell["map_bits"] / cell["map_weights"] for cell in own.values()])), 2),
        "cpu_seconds_made": round(float(np.mean([cell["cpu_seconds_made"] for cell in own.values()])), 1),
        "options": first["settings"]["options"], "sizes": first["settings"]["sizes"],
        "time": f"{first['ms']:.1f} of {first['teacher_ms']:.1f} ms" if "ms" in first else NOT_FASTER,
    }  # fmt: skip
    return found


def _control(cell: Mapping[str, Any], dense: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The largest dense model that is no larger than a technique's, or the smallest of all."""
    fitting_ = [each for each in dense if each["bytes"] <= 1.001 * cell["bytes"]]
    return max(fitting_, key=lambda each: each["bytes"]) if fitting_ else min(dense, key=lambda each: each["bytes"])


def _beside(prefix: str, rights: Mapping[int, str], other: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    found = compared(rights, {seed: cell["right"] for seed, cell in other.items()})
    kept = {"control_quality": "quality", "difference": "difference", "low": "low", "high": "high"}
    return {f"{prefix}_{new}": found[old] for old, new in kept.items()}


def _told(plain: tuple[str, Mapping[str, Any]]) -> str:
    return " ".join([plain[0].replace("_", " "), *(f"{key} {value}" for key, value in plain[1].items())])


def _mean(cells: Mapping[int, Mapping[str, Any]], key: str) -> int:
    return round(float(np.mean([cell[key] for cell in cells.values()])))


def main(arguments: Sequence[str] | None = None) -> None:
    techniques = [technique for technique in read_atlas().bench(BENCH) if technique.code]
    kinds = [technique.kind for technique in techniques]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=kinds, default=kinds, metavar="TECHNIQUE")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=["trec"], metavar="SET")
    parser.add_argument("--quick", action="store_true", help="every technique at toy size, in seconds")
    given = parser.parse_args(arguments)
    sets, seeds = (["nested lists"], [13]) if given.quick else (given.sets, given.seeds)
    work = WORK / "atlas" / ("quick-sparsity" if given.quick else BENCH)
    result = work / "quick.json" if given.quick else RESULTS / "atlas" / f"{BENCH}.json"
    bench = Sparsity(work, result, quick=given.quick)
    for seed in seeds:
        for name in sets:
            for technique in techniques:
                if technique.kind in given.only:
                    bench.technique(technique.kind, options_of(technique, quick=given.quick), name, seed)
                    bench.write(techniques)
    for row in bench.write(techniques):
        gain = f"{row['difference']:+6.2f} ({row['low']:+.2f} to {row['high']:+.2f}) {row['verdict']}"
        print(
            f"{row['technique']:34} {row['set']:13} {row['quality']:6.2f} {row['bits_a_weight']:6.2f} bits "
            f"{row['bytes'] / 1e6:7.3f} MB  dense {row['dense_quality']:.1f} plain {row.get('plain_quality', '-')}",
            gain,
        )


if __name__ == "__main__":
    main()
