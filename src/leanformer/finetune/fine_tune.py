"""Fine-tuning of an encoder on the task's labels.

What: the whole model is trained on the labelled texts, and the weights with the best dev score are kept. As the first
    step of a recipe, with `name: teacher`, it fine-tunes the encoder that the recipe is run on. Anywhere else it trains
    its input artifact, or the model named by `encoder`. For few labels, `method` has further ways
    (docs/how-to/few-labels.md).
Paper: Devlin, Chang, Lee and Toutanova 2019, BERT (arXiv 1810.04805).
Helps: for a recipe that starts from a pre-trained encoder; after layers, heads or word pieces were removed.
Hurts: without the predictions of a teacher, a small model learns less from the same texts (see compress.distil).
Needs: torch; labelled train and dev texts; an encoder of a mapped family.
Example: {step: train.fine_tune, epochs: 3}
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.data.dataset import Dataset
from leanformer.data.used_texts import attach, inherited
from leanformer.data.variety import require_variety
from leanformer.errors import DataError, LeanformerError, RecipeError
from leanformer.files import remove_folder, write_json
from leanformer.finetune.names import FULL, METHODS
from leanformer.formats import format_of
from leanformer.options import FilePath
from leanformer.outputs.folders import new_output
from leanformer.progress import to_stdout
from leanformer.shapes.planned import PlannedShape
from leanformer.step import Context, Make, record
from leanformer.train.fit_options import AdamWOptions

if TYPE_CHECKING:
    from leanformer.task import Task
    from leanformer.train.settings import FitSettings


_OF_ALL_METHODS = ("encoder", "max_tokens", "method", "token_budget", "precision")


@dataclass(frozen=True)
class FineTune(AdamWOptions, Make):
    """Fine-tune the artifact, or another encoder, on the labelled train texts."""

    encoder: FilePath | None = None  # checkpoint or artifact to start from; None: the input of the step
    max_tokens: int | None = None  # longest input in tokens; None: as in the input of the step
    crf: bool = False  # for taggers: also learn transitions between tags
    long: str | None = field(
        default=None, metadata={"later": True}
    )  # longer texts: "windows" reads them whole, "truncate" cuts them; null: as the input of the step does
    overlap: int | None = field(
        default=None, metadata={"later": True}
    )  # tokens that a window of a long text repeats of the one before
    method: str | None = field(
        default=None, metadata={"later": True}
    )  # "full"; for few labels "frozen", "contrastive" or "adapter"; "auto" chooses; null: "full"
    teacher_answers: FilePath | None = field(
        default=None, metadata={"later": True}
    )  # JSON Lines of any program's answers for rows of train and unlabelled, learnt instead of their labels
    learning_rate: float = 5e-5

    technique: ClassVar[str] = "train.fine_tune"
    consumes: ClassVar[tuple[str, ...]] = ("encoder", "transformers")
    produces: ClassVar[str] = "encoder"
    trains: ClassVar[bool] = True
    makes_teacher: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self.at_least(2, "max_tokens")
        self.at_least(0, "overlap")
        self.need(
            not self.uncertainty,
            "uncertainty weighs several losses against each other, and fine-tuning has one\n"
            "  remedy: leave `uncertainty` out",
        )
        self.one_of("method", METHODS)
        if self.method not in (None, FULL):
            changed = [
                option.name for option in fields(self)
                if option.name not in _OF_ALL_METHODS and getattr(self, option.name) != option.default
            ]  # fmt: skip
            self.need(
                not changed,
                f"{', '.join(changed)}: the method {self.method} has settings of its own\n"
                f"  remedy: leave {changed[0] if changed else ''} out, or choose the method full",
            )
        super().__post_init__()

    def planned(self, shape: PlannedShape) -> PlannedShape | None:
        return None if self.encoder is not None else shape

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        if self.encoder is None and format_of(artifact).foreign:
            raise RecipeError(
                f"{self.technique}: {artifact.path}: a family that is not mapped cannot be trained\n"
                "  remedy: name an encoder of a mapped family to start from: encoder: ENCODER"
            )
        encoder = self.encoder or str(artifact.path)
        entry = record(self, artifact) | {"seed": context.seed}
        task = replace(context.data.task, overlap=artifact.task.overlap)
        return self._fit(encoder, context, output, artifact.max_tokens, task, artifact.history, entry)

    def teacher_of(
        self, encoder: str, context: Context, output: Path, max_tokens: int, keep_adapter: Path | None = None
    ) -> Artifact:
        """Train a teacher from an encoder that is not an artifact yet, or from an artifact for another task.

        `keep_adapter` is a new folder for the adapter, see `finetune.keeping`.
        """
        encoder, task = self.encoder or encoder, context.data.task
        return self._fit(encoder, context, output, max_tokens, task, keep_adapter=keep_adapter)

    def _fit(
        self, encoder: str, context: Context, output: Path, max_tokens: int, task: Task,
        history: Sequence[Mapping[str, Any]] = (), entry: Mapping[str, Any] | None = None,
        keep_adapter: Path | None = None,
    ) -> Artifact:  # fmt: skip
        import torch

        from leanformer.answers.long_texts import reading

        torch.set_num_threads(context.threads)
        rows = 1 if context.data.train is None else len(context.data.train)  # a missing train split is reported below
        return _fine_tune(
            encoder, context.data, output, self.settings(context.seed, epochs=self.epochs_of(rows)),
            max_tokens=self.max_tokens or max_tokens, crf=self.crf, work=context.work, device=context.device,
            say=context.say, overlap=reading(task, self.long, self.overlap).overlap, history=history, entry=entry,
            method=self.method or FULL, keep_adapter=keep_adapter,
            answers=None if self.teacher_answers is None else Path(self.teacher_answers),
        )  # fmt: skip


def fine_tune(
    encoder: str,
    data: Dataset,
    output: Path,
    settings: FitSettings,
    *,
    max_tokens: int = 128,
    crf: bool = False,
    long: str | None = None,
    overlap: int | None = None,
    work: Path,
    device: str = "auto",
    say: Callable[[str], None] = to_stdout,
) -> Artifact:
    """Fine-tune `encoder` on the labels of `data.train` and keep the weights that are best on `data.dev`.

    The loss and the dev figure depend on the task's answer form; a scale or thresholds are stored in the artifact's
    task.

    The artifact's folder also contains `training.json` and, if dev was split off train, `dev_rows.json` with the row
    numbers, so that another program can be compared on the same split.

    Args:
        encoder: a Hugging Face folder or hub name of a mapped family, or one of our encoder artifacts.
        output: new folder of the artifact; not the encoder's, nor one above it.
        crf: for taggers: also learn tag transitions (see `objectives.chain`).
        long, overlap: how texts longer than `max_tokens` are read, see `answers.long_texts.reading`.
        work: folder of checkpoints; they are removed once the artifact is written, and so is the folder if it is empty.

    Raises `DataError` without labelled train and dev splits or with only one label, `CheckpointError` for an unmapped
    encoder, and `LeanformerError` if `output` would replace the encoder, the device does not exist, or the task has no
    tags for `crf`.
    """
    from leanformer.answers.long_texts import reading

    return _fine_tune(
        encoder, data, output, settings, max_tokens=max_tokens, crf=crf, work=work, device=device, say=say,
        overlap=reading(data.task, long, overlap).overlap,
    )  # fmt: skip


def _fine_tune(
    encoder: str, data: Dataset, output: Path, settings: FitSettings, *, max_tokens: int, crf: bool, work: Path,
    device: str, say: Callable[[str], None], overlap: int | None, history: Sequence[Mapping[str, Any]] = (),
    entry: Mapping[str, Any] | None = None, method: str = FULL, keep_adapter: Path | None = None,
    answers: Path | None = None,
) -> Artifact:  # fmt: skip
    """Implementation of `fine_tune`. A recipe step passes the history and its own record; no extra files then."""
    from leanformer.finetune.choose import CHOICE
    from leanformer.finetune.frozen import VECTORS
    from leanformer.finetune.keeping import check_keeping, write_kept
    from leanformer.finetune.methods import tuned
    from leanformer.finetune.tuned import Place
    from leanformer.models.store import write_classifier
    from leanformer.train.given_answers import read_answers

    used = data.used_texts
    given = None if answers is None else read_answers(answers, data, say)
    if given is not None:
        data = replace(data, train=given.examples)
    if data.train is None:
        raise DataError(
            "training needs a labelled train split", path=data.name, remedy="give a train file whose rows have labels"
        )
    require_variety(data)
    if Path(encoder).exists() and Path(encoder).resolve().is_relative_to(output.resolve()):
        raise LeanformerError(
            f"{output}: is or holds the encoder to start from; it will not be overwritten\n  remedy: another output"
        )
    if is_artifact(encoder):
        used |= inherited(open_artifact(encoder, verify=False))
    if keep_adapter is not None:
        check_keeping(dict(settings.parts).get("adapter"), encoder, data.task, keep_adapter, output)
    place = Place(settings, max_tokens, work, device, say, given)
    started = time.monotonic()
    made = tuned(method, encoder, data, place, crf=crf, overlap=overlap)
    # Full training counts the seconds of all its runs, if it was killed and resumed.
    seconds = made.seconds if method == FULL else time.monotonic() - started
    as_step = entry is not None
    if entry is None:
        chosen = {} if method == FULL else {"method": method}
        options = {"encoder": Path(encoder).name, "max_tokens": made.tokens, **made.options, **chosen}
        entry = {"step": FineTune.technique, "parent": None, "options": options}
    entry = {**entry, "result": dict(made.result), "data": {"name": data.name, "training_hash": data.training_hash}}
    with new_output(output, say) as temporary:
        write_classifier(
            made.model, temporary, task=made.task, tokenizer=made.tokenizer, max_tokens=made.tokens,
            history=[*history, entry],
        )  # fmt: skip
        attach(open_artifact(temporary, verify=False), used)
        # Time depends on this machine, so it is stored next to the artifact and not in its content.
        if not as_step:
            write_json(temporary / "training.json", {"seconds": round(seconds, 1), **made.result})
        if data.dev_rows is not None and not as_step:
            write_json(temporary / "dev_rows.json", {"taken_from": "train", "rows": list(data.dev_rows)})
    if keep_adapter is not None:
        write_kept(keep_adapter, made, encoder)
        say(f"{keep_adapter}: the adapter, {sum(p.stat().st_size for p in keep_adapter.iterdir()) / 1e6:.2f} MB")
    # Remove only our own files: the folder may contain others.
    remove_folder(work / "checkpoint")
    if method != FULL:
        remove_folder(work / VECTORS)
        (work / CHOICE).unlink(missing_ok=True)
    with suppress(OSError):
        work.rmdir()
    return open_artifact(output)
