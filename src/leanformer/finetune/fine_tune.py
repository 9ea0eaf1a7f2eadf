"""Fine-tuning of an encoder on the task's labels.

What: the whole model is trained on the labelled texts, and the weights with the best dev score are kept. As the first
    step of a recipe, with `name: teacher`, it fine-tunes the encoder that the recipe is run on. Anywhere else it trains
    its input artifact, or the model named by `encoder`.
Paper: Devlin, Chang, Lee and Toutanova 2019, BERT (arXiv 1810.04805).
Helps: for a recipe that starts from a pre-trained encoder; after layers, heads or word pieces were removed.
Hurts: without the predictions of a teacher, a small model learns less from the same texts (see compress.distil).
Needs: torch; labelled train and dev texts; an encoder of a mapped family.
Example: {step: train.fine_tune, epochs: 3}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.data.dataset import Dataset
from leanformer.data.used_texts import attach, inherited
from leanformer.data.variety import require_variety
from leanformer.errors import DataError, LeanformerError, RecipeError
from leanformer.files import remove_folder, sha256_json, write_json
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

    def teacher_of(self, encoder: str, context: Context, output: Path, max_tokens: int) -> Artifact:
        """Train a teacher from an encoder that is not an artifact yet, or from an artifact for another task."""
        return self._fit(self.encoder or encoder, context, output, max_tokens, context.data.task)

    def _fit(
        self, encoder: str, context: Context, output: Path, max_tokens: int, task: Task,
        history: Sequence[Mapping[str, Any]] = (), entry: Mapping[str, Any] | None = None,
    ) -> Artifact:  # fmt: skip
        import torch

        from leanformer.answers.long_texts import reading

        torch.set_num_threads(context.threads)
        rows = 1 if context.data.train is None else len(context.data.train)  # a missing train split is reported below
        return _fine_tune(
            encoder, context.data, output, self.settings(context.seed, epochs=self.epochs_of(rows)),
            max_tokens=self.max_tokens or max_tokens, crf=self.crf, work=context.work, device=context.device,
            say=context.say, overlap=reading(task, self.long, self.overlap).overlap, history=history, entry=entry,
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
    entry: Mapping[str, Any] | None = None,
) -> Artifact:  # fmt: skip
    """Implementation of `fine_tune`. A recipe step passes the history and its own record; no extra files then."""
    import torch

    from leanformer.answers.long_texts import cut_note
    from leanformer.models.store import device_of, start_classifier, write_classifier
    from leanformer.tokenizer import Tokenizer
    from leanformer.train.fit import dev_result, encoder_hash, fit_classifier
    from leanformer.train.objectives.chain import tag_chain
    from leanformer.train.objectives.objective import LabelLoss, Supervised
    from leanformer.train.targets import labels_of, with_scale

    if data.train is None:
        raise DataError(
            "training needs a labelled train split", path=data.name, remedy="give a train file whose rows have labels"
        )
    require_variety(data)
    if data.dev is None:
        raise DataError(
            "there is no dev split to choose the best epoch by, and none could be taken out of train",
            path=data.name,
            remedy="give a dev file, or more train rows: at least two texts of a label",
        )
    if Path(encoder).exists() and Path(encoder).resolve().is_relative_to(output.resolve()):
        raise LeanformerError(
            f"{output}: is or holds the encoder to start from; it will not be overwritten\n  remedy: another output"
        )
    used = data.used_texts
    if is_artifact(encoder):
        used |= inherited(open_artifact(encoder, verify=False))
    loss = tag_chain(data.task, "train") if crf else LabelLoss(data.task.answer)
    device_of(device)  # report a missing device now, not after the texts were tokenized
    torch.manual_seed(settings.seed)
    model, tokenizer_path, missing, positions = start_classifier(encoder, data.task)
    if missing:
        say(f"starting at random: {', '.join(missing)}")
    tokens = min(max_tokens, positions)
    tokenizer = Tokenizer(tokenizer_path, tokens)
    # Learnt tag transitions belong to the logits that they were learnt with.
    task = replace(data.task, transitions=None, overlap=overlap)
    train = replace(data.train, task=with_scale(task, data.train))
    say(f"{len(train)} training texts, {len(data.dev)} dev texts, {data.task.kind}, {len(data.task.labels)} labels")
    for split, examples in (("train", train), ("dev", data.dev)):
        if note := cut_note(task, tokenizer, examples.inputs, split):
            say(f"note: {note}")
    asked = [] if overlap is None else [{"overlap": overlap}]
    result = fit_classifier(
        model, Supervised(loss), train.inputs, labels_of(train), replace(data.dev, task=train.task),
        tokenizer, settings,
        work=work, device=device, say=say, languages=train.languages,
        identity=sha256_json([encoder_hash(model), data.training_hash, tokens, *(["crf"] if crf else []), *asked]),
    )  # fmt: skip
    as_step = entry is not None
    if entry is None:
        options = {"encoder": Path(encoder).name, "max_tokens": tokens, **settings.to_json()}
        entry = {
            "step": FineTune.technique, "parent": None,
            "options": options | ({"crf": True} if crf else {}) | (asked[0] if asked else {}),
        }  # fmt: skip
    scores = dev_result(result, train.task)
    entry = {**entry, "result": scores, "data": {"name": data.name, "training_hash": data.training_hash}}
    with new_output(output, say) as temporary:
        write_classifier(
            model, temporary, task=result.task, tokenizer=tokenizer_path, max_tokens=tokens, history=[*history, entry]
        )
        attach(open_artifact(temporary, verify=False), used)
        # Time depends on this machine, so it is stored next to the artifact and not in its content.
        if not as_step:
            write_json(temporary / "training.json", {"seconds": round(result.seconds, 1), **scores})
        if data.dev_rows is not None and not as_step:
            write_json(temporary / "dev_rows.json", {"taken_from": "train", "rows": list(data.dev_rows)})
    # Remove only our own files: the folder may contain others.
    remove_folder(work / "checkpoint")
    with suppress(OSError):
        work.rmdir()
    return open_artifact(output)
