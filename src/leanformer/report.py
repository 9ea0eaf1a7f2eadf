"""The Report: measurements with units, sample sizes and intervals, and the machine they were made on.

A ladder is a list of rungs, each a model or a way to run it, measured in the same way. Times are wall-clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from leanformer import schema
from leanformer.earlier_reports import brought_up
from leanformer.errors import LeanformerError
from leanformer.files import write_json
from leanformer.measurements import rung_keys
from leanformer.schema import shown
from leanformer.strict_json import read_json

REPORT_VERSION = 1
LATENCY_PERCENTS = (0, 1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 100)


@dataclass(frozen=True)
class Rung:
    """One line of the ladder.

    Attributes:
        name: what was added. `after`: the rung it builds on, None for the first.
        runtime: what ran it, and how.
        quality, quality_low, quality_high: of `metric` on the test split, 0..1, with a 95 % bootstrap interval.
        dev_quality: the same metric on dev, the only figure used for choosing; None without a dev split.
        drop, drop_low, drop_high: quality of the first rung minus this one's on test, with a paired interval.
        n: number of test texts behind quality.
        macro_f1, matthews: on test, with intervals (_low, _high). Matthews correlation only if the answer is one label,
            macro-F1 also for any number of labels; None for scores.
        worst_class, worst_class_recall: the class with the lowest recall on test; None for scores.
        agreement, probability_agreement: with the first rung, on test: the share of equal answers and the loyalty of
            the probabilities; for scores Pearson's correlation and None.
        scores: further figures on test, by name: (value, low, high).
        latency_ms_p50, _p95, _p99: one text at a time, tokenizer included; latency_n texts.
        tokenizer_ms_p50: the tokenizer's part of it.
        throughput_per_second, throughput_median: test texts per second, tokenizer included, all allowed threads, for
            texts that the word cache has not read: the median of the rounds, throughput_n texts in each.
        inference_per_second: the same without the tokenizer.
        speedup, speedup_over_unpadded: throughput over that of the first rung and of PyTorch one text at a time, the
            median of the ratios of the rounds in which both were timed; None if there is no such rung (a bench).
        marginal: throughput over that of the rung in `after`.
        usd_per_100m: USD for 100 million texts at the price stated in the report.
        bytes: of the artifact on disk. parameters: of the model, None if unknown.
        peak_memory_bytes: of a fresh process that loads the model and scores test texts; None if not measured.
        format, content_hash: of the artifact.
        chooseable: whether this rung may be chosen as the result (ways to run the teacher in PyTorch may not).
        lossless: whether its answers are the teacher's (an fp32 export of the teacher).

    Reports of earlier versions lack the rest:
        latency_ms_quantiles: latency at each of `LATENCY_PERCENTS`, same texts as above.
        loss: where quality was lost, see `measure.lost_quality.describe_loss`.
        lineage: the steps that led to the artifact, oldest first, each {"step", "options"}.
        flops_per_text, padding_waste: operations of the matrix products per test text on average, padding included, and
            the share of padding in them; see `shapes.flops`.
        energy: of inference, see `measure.energy.Energy`, as JSON; None if it was not requested.
        cpu_seconds_per_1000: processor time of all threads for 1,000 texts, in the throughput rounds.
        parameters_without_embeddings: of the model, None if unknown.
        traffic_bytes_per_text: a lower estimate of the bytes moved between memory and processor for a single text of
            mean length; see `shapes.flops.traffic_bytes`.
        lost: labels that the first rung finds on dev and this one does not, with counts; see `measure.lost`.
        peak_share: operations per second without the tokenizer, over `Report.peak`.
        over_batched: throughput over that of PyTorch in batches by length; None if there is no such rung.
        throughput_warm: texts per second if the word cache knows every word of the texts.
        rounds: the figures of each round: "throughput", "warm" (texts per second), "inference" (the same without the
            tokenizer) and "latency" (median ms), each {number of the round, from "1": figure}.
        intervals: 95 % intervals of "speedup", "speedup_over_unpadded", "over_batched" and "marginal", each
            [low, high]; bootstrap of the median of the rounds.
        n_clean, quality_clean: test texts that are not among the training texts, and quality on them; see `data.leaks`.
            None if the training texts are not known, quality also if no text is left.
        drop_clean, drop_clean_low, drop_clean_high: as `drop`, on these.
        n_distinct, quality_distinct: the same without texts that nearly equal a training text; None if there was too
            much text to search for those.
        over_floor: quality on test minus that of the linear model on n-grams, see `ladder.floor.over_floor`; None if
            the ladder has no such rung.
        engine: what computed its logits, `predictor.EngineUsed` as JSON; None for a predictor that does not tell.
        measured: optional measurements by their key (see `measurements`); in JSON each key is directly in the rung,
            null if it was not requested.
    """

    name: str
    after: str | None
    runtime: str
    quality: float
    quality_low: float
    quality_high: float
    dev_quality: float | None
    metric: str
    n: int
    drop: float
    drop_low: float
    drop_high: float
    macro_f1: float | None
    macro_f1_low: float | None
    macro_f1_high: float | None
    matthews: float | None
    matthews_low: float | None
    matthews_high: float | None
    worst_class: str | None
    worst_class_recall: float | None
    agreement: float
    probability_agreement: float | None
    latency_ms_p50: float
    latency_ms_p95: float
    latency_ms_p99: float
    latency_n: int
    tokenizer_ms_p50: float
    throughput_per_second: float
    throughput_median: float
    inference_per_second: float
    throughput_n: int
    speedup: float
    speedup_over_unpadded: float | None
    marginal: float
    usd_per_100m: float
    bytes: int
    parameters: int | None
    peak_memory_bytes: int | None
    format: str
    content_hash: str
    chooseable: bool
    lossless: bool
    scores: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    latency_ms_quantiles: tuple[float, ...] | None = None
    loss: dict[str, Any] | None = None
    lineage: tuple[dict[str, Any], ...] | None = None
    flops_per_text: float | None = None
    padding_waste: float | None = None
    energy: dict[str, Any] | None = None
    cpu_seconds_per_1000: float | None = None
    parameters_without_embeddings: int | None = None
    traffic_bytes_per_text: int | None = None
    peak_share: float | None = None
    lost: tuple[str, ...] = ()
    over_batched: float | None = None
    throughput_warm: float | None = None
    rounds: dict[str, Any] | None = None
    intervals: dict[str, Any] | None = None
    n_clean: int | None = None
    quality_clean: float | None = None
    drop_clean: float | None = None
    drop_clean_low: float | None = None
    drop_clean_high: float | None = None
    n_distinct: int | None = None
    quality_distinct: float | None = None
    over_floor: dict[str, Any] | None = None
    engine: dict[str, Any] | None = None
    measured: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        value = asdict(self)
        measured = value.pop("measured")
        return value | {key: measured.get(key) for key in rung_keys()}


@dataclass(frozen=True)
class Report:
    """A measured ladder.

    Attributes:
        title: recipe and data in a few words.
        rungs: first to last.
        machine: fingerprint (see `machine.fingerprint`).
        data: name, hashes and sizes of the splits, and the leaks of test and dev (see `data.leaks.Leaks.to_json`).
        price: {"usd_per_hour", "basis"}.
        choice: the chosen rung and the reason, if one was chosen: {"rung", "goal", "max_drop", "status", "reason",
            "sure", "rivals"}; `sure` is whether no other rung may be as good within the noise (null if that is not
            known), and `rivals` are those that may be, each {"rung", "ratio", "low", "high", "rounds"}.
        notes: what the reader must know: what was left out and why, texts in more than one split, ...
        recipe: the recipe as run, options and seed; None for a bench.
        command: the command line that made it; None if there was none, or the report is an earlier version's.
        peak: the machine's own rate of operations, {"flops_per_second", "method"}; see `measure.machine_peak`.
        training: cost of making the models, one entry per step: {"step", "technique", "whole", "energy"}, the last as
            `measure.energy.Energy` or None; never added to the cost of inference. See `measure.effort`.
        machine_load: what else ran during timing, `measure.load.Load` as JSON; `busy` marks the figures.
        timing: how it was timed: {"rounds", "read_before"}, rounds of every rung, and number of texts that the word
            cache reads before each turn.
    """

    title: str
    rungs: tuple[Rung, ...]
    machine: dict[str, Any]
    data: dict[str, Any]
    price: dict[str, Any]
    choice: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    recipe: dict[str, Any] | None = None
    command: str | None = None
    peak: dict[str, Any] | None = None
    training: tuple[dict[str, Any], ...] = ()
    machine_load: dict[str, Any] | None = None
    timing: dict[str, Any] | None = None
    format_version: int = field(default=REPORT_VERSION)

    def to_json(self) -> dict[str, Any]:
        value = {field_.name: getattr(self, field_.name) for field_ in fields(self) if field_.name != "rungs"}
        return {"title": self.title, "rungs": [rung.to_json() for rung in self.rungs], **value}

    def write(self, path: Path) -> None:
        write_json(path, self.to_json())

    @classmethod
    def read(cls, path: Path | str) -> Report:
        """Raises `LeanformerError` for a file that is not a report of this version."""
        try:
            value = read_json(Path(path))
            version = value.get("format_version") if isinstance(value, dict) else None
            if type(version) is int and version != REPORT_VERSION:
                raise LeanformerError(
                    f"{path}: report version {shown(version)}, this reads {REPORT_VERSION}\n"
                    "  remedy: upgrade Leanformer, or measure again (leanformer bench)"
                )
            _SCHEMA(value, "report")
            value = brought_up(value)
            names = {field_.name for field_ in fields(cls)}
            known = {key: part for key, part in value.items() if key in names}
            rungs = tuple(_rung(rung) for rung in value["rungs"])
            listed = {"notes": tuple(value["notes"]), "training": tuple(known.get("training", ()))}
            return cls(**{**known, **listed, "rungs": rungs})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise unreadable(path, error) from error


def unreadable(path: Path | str, error: Exception) -> LeanformerError:
    """An error for the user about a report that cannot be read or shown."""
    said = f"{type(error).__name__}: {error}"[:300]
    return LeanformerError(
        f"{path}: not a readable report ({said})\n  remedy: measure again (leanformer bench --output)"
    )


@contextmanager
def showing(path: Path | str) -> Iterator[None]:
    """Turns exceptions while showing a report, which may come from anywhere, into an error that names its file."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise unreadable(path, error) from error


_OF_TYPE: dict[str, schema.Check] = {
    "str": schema.text(), "float": schema.number(), "int": schema.whole(), "bool": schema.truth,
    "dict[str, Any]": schema.named(), "tuple[float, ...]": schema.listed(schema.number()),
    "tuple[dict[str, Any], ...]": schema.listed(schema.fields({"step": schema.text()})),
    "Mapping[str, tuple[float, float, float]]": schema.named(schema.listed(schema.number(), 3, 3)),
}  # fmt: skip


def _of_fields(kind: type) -> schema.Check:
    """A check of JSON for the fields of a dataclass; fields with a default may be missing, others are ignored."""
    checks: dict[bool, dict[str, schema.Check]] = {True: {}, False: {}}
    for field_ in fields(kind):
        name, _, null = str(field_.type).partition(" | ")
        if name in _OF_TYPE:
            needed = field_.default is MISSING and field_.default_factory is MISSING
            checks[needed][field_.name] = schema.nullable(_OF_TYPE[name]) if null else _OF_TYPE[name]
    return schema.fields(checks[True], checks[False])


def _check_rung(value: Any, place: str) -> None:
    _RUNG(value, place)
    known = {"rounds": _ROUNDS, "intervals": _INTERVALS, "engine": _ENGINE} | dict.fromkeys(rung_keys(), schema.named())
    schema.fields({}, {name: schema.nullable(check) for name, check in known.items()})(value, place)


_RUNG = _of_fields(Rung)
_ROUNDS = schema.named(schema.named(schema.number()))
_TOLD = dict.fromkeys(("engine", "precision", "reason", "remedy"), schema.text())
_ENGINE = schema.fields(_TOLD, {"level": schema.nullable(schema.text())})
_INTERVALS = schema.named(schema.listed(schema.number(), 2, 2))
_SCHEMA = schema.fields(
    {"format_version": schema.whole(), "title": schema.text(), "rungs": schema.listed(_check_rung)},
    {
        "notes": schema.listed(schema.text()),
        "machine": schema.named(),
        "data": schema.fields({}, {"splits": schema.named(schema.nullable(schema.text()))}),
        "machine_load": schema.nullable(schema.named()),
        "timing": schema.nullable(schema.named()),
    },
)


def _rung(value: dict[str, Any]) -> Rung:
    """A rung from JSON, with its lists as tuples."""
    listed = {
        key: tuple(value[key]) for key in ("latency_ms_quantiles", "lineage", "lost") if value.get(key) is not None
    }
    scores = {name: tuple(score) for name, score in value.get("scores", {}).items()}
    keys = rung_keys()
    measured = {key: value[key] for key in keys if value.get(key) is not None}
    own = {key: part for key, part in value.items() if key not in keys}
    return Rung(**{**own, **listed, "scores": scores, "measured": measured})
