"""Distillation of a Transformer into a bidirectional LSTM, stage by stage.

What: trains a student of embeddings, one bidirectional LSTM and a projection to the teacher's hidden size. It is
    fitted to the teacher's hidden states, then to its logits, then to labels, with gradual unfreezing from the top
    down (strategy D4.2); seven simpler strategies are available. Its embeddings are initialised from the teacher's by
    SVD. Its vocabulary is the part of the teacher's that the training and unlabelled texts use, or word pieces learnt
    from these texts, which are initialised from the teacher's embeddings.
Paper: Mukherjee and Awadallah 2020, XtremeDistil (arXiv 2004.05686); for learnt pieces Gee et al. 2022, Fast
    Vocabulary Transfer (arXiv 2402.09977).
Helps: when a tagger must be tens of times smaller and faster than a Transformer and tens of thousands of unlabelled
    sentences are available. A smaller `embedding` saves memory, fewer `units` save time.
Hurts: with the teacher's word pieces its quality is below the teacher's, and the gap grows with less text. In the
    paper, Transformers with three or more layers are better if they are fast enough. Words that do not occur in the
    counted texts are split into smaller pieces.
Needs: torch; a fine-tuned teacher of a mapped family; text of the task; labels for all strategies.
Example: {step: compress.bilstm, embedding: 100, units: 200, epochs: 10}
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from leanformer.answers.forms import form_of
from leanformer.answers.long_texts import windowed_of
from leanformer.artifact import Artifact
from leanformer.compress.recurrent.strategies import LEARNT
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError, RecipeError
from leanformer.files import sha256_file, sha256_json
from leanformer.formats import format_of
from leanformer.inputs.kinds import input_of
from leanformer.options import options
from leanformer.step import Context, Make, record
from leanformer.task import Task
from leanformer.train.fit_options import FitOptions, TextOptions

if TYPE_CHECKING:
    from leanformer.compress.recurrent.stages import Rows
    from leanformer.compress.recurrent.start import Start
    from leanformer.compress.recurrent.strategies import Stage
    from leanformer.train.pool import TextPool

_LABELS_ALONE = ("D0", "D0-S")
_VOCABULARIES = ("seen", "all", *LEARNT)
_STRATEGIES = (*_LABELS_ALONE, "D1", "D2", "D3.1", "D3.2", "D4.1", "D4.2")


@dataclass(frozen=True)
class BiLstmStudent(TextOptions, FitOptions, Make):
    """Distil the artifact `teacher` into a recurrent student, with tokens and embeddings from the input artifact."""

    strategy: str = "D4.2"  # D0, D0-S, D1, D2, D3.1, D3.2, D4.1 or D4.2
    embedding: int = 100  # width of the embeddings (E)
    units: int = 200  # units of the LSTM in each direction (H)
    start: str = "svd"  # embeddings: the teacher's, reduced by "svd", or "random"
    vocabulary: str = "seen"  # pieces: "all"; those "seen" in the texts; or learnt from these, "cased" or "uncased"
    pieces: int = 18000  # of a learnt vocabulary, at most
    keep_characters: bool = True  # "seen": keep single characters unseen, so that a new word comes apart, not unknown
    layer: int | None = None  # teacher's layer to follow, from 1; null: for tags 7/12 of its depth, else the last
    representation: str = "kld"  # distance of states: "kld" or "mse"
    representation_weight: float = 1.0  # where several losses are summed
    logit_weight: float = 1.0  # where several losses are summed
    label_weight: float = 1.0  # where several losses are summed
    language: str | None = None  # train and choose on this language alone (D0)
    dropout: float = 0.2  # before the LSTM, the projection and the logits
    epochs: int = 10  # of each fit
    representation_epochs: int | None = None  # of the fit to the teacher's states; null: `epochs`
    learning_rate: float = 1e-3  # at the start of each fit; it falls as a cosine to 1e-8
    warmup: float = 0.0  # share of a fit's steps in which the rate rises
    token_budget: int = 16384
    crf: bool = False  # of a tagger: learn with the labels which tag follows which too

    technique: ClassVar[str] = "compress.bilstm"
    consumes: ClassVar[tuple[str, ...]] = ("encoder",)
    produces: ClassVar[str] = "bilstm"
    trains: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self.one_of("strategy", _STRATEGIES)
        self.one_of("start", ("svd", "random"))
        self.one_of("vocabulary", _VOCABULARIES)
        self.one_of("representation", ("kld", "mse"))
        self.at_least(100, "pieces")
        self.share_below_one("dropout")
        self.at_least(0, "representation_weight", "logit_weight", "label_weight")
        self.at_least(1, "embedding", "units", "representation_epochs", "layer")
        self.need(
            self.adapter is None,
            "an adapter trains few parameters of a model that has learnt, and this student has not\n"
            "  remedy: leave `adapter` out",
        )
        self.need(
            self.uncertainty is None or self.strategy in ("D1", "D2"),
            f"uncertainty weighs several losses against each other, and some fit of {self.strategy} has one\n"
            "  remedy: strategy D1 or D2, or leave `uncertainty` out",
        )
        super().__post_init__()

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        import torch

        from leanformer.compress.recurrent.objective import StudentWeights
        from leanformer.compress.recurrent.stages import Follow, fit_stages
        from leanformer.compress.recurrent.start import start_student
        from leanformer.compress.recurrent.strategies import STRATEGIES, needs
        from leanformer.models.bilstm_store import write_bilstm
        from leanformer.models.store import device_of, read_model
        from leanformer.tokenizer import Tokenizer
        from leanformer.train.fit import encoder_hash
        from leanformer.train.judging import Judge
        from leanformer.train.objectives.chain import tag_chain

        form = form_of(artifact.task)
        if input_of(artifact.task).several or (windowed_of(artifact.task) is not None and not form.per_word):
            of_input = input_of(artifact.task).several or form.windowed is not None
            what = input_of(artifact.task).plural if of_input else "long texts in windows"
            raise RecipeError(f"compress.bilstm: a recurrent student reads no {what}\n  remedy: compress.distil")
        # Learnt tag transitions belong to the logits that they were learnt with.
        task, device = replace(artifact.task, transitions=None), device_of(context.device)
        chain = tag_chain(task, "compress.bilstm", artifact.task.transitions) if self.crf else None
        pool, judges, dev = self._pools(context.data, task)
        teacher = context.artifacts["teacher"]
        layer, width = self._followed(artifact, teacher) if needs(self.strategy, "representation") else (None, None)
        torch.manual_seed(context.seed)
        torch.set_num_threads(context.threads)
        start = start_student(
            read_model(artifact), artifact, pool.inputs, embedding=self.embedding, units=self.units,
            dropout=self.dropout, start=self.start, vocabulary=self.vocabulary, keep_characters=self.keep_characters,
            work=context.work, pieces=self.pieces, projection=width,
        )  # fmt: skip
        model, tokenizer = start.model, Tokenizer(start.tokenizer, artifact.max_tokens)
        before, after = start.notes["pieces"]
        context.say(
            f"student: {sum(p.numel() for p in model.parameters()):,} parameters, "
            f"{after} {'pieces of its own' if start.renumbered is None else f'of {before} pieces'}"
        )
        follows = layer is not None or needs(self.strategy, "logits")
        train, judged = (self._rows(split, artifact, context, start, layer, follows) for split in (pool, judges))
        settings = self.settings(context.seed, weight_decay=0.0, precision="fp32", schedule="cosine")
        judge = Judge(model, dev, tokenizer, device, *([] if chain is None else [chain.learnt]))
        # Stages determine the strategy, so fits that strategies share are run once. Options added later are left out
        # when
        # unused, so that fits made before them are still found.
        passed = {"strategy", *self.unused()}
        own = {name: value for name, value in options(self).items() if name not in passed}
        identity = sha256_json(
            [
                *(own, layer, teacher.content_hash, encoder_hash(model), context.data.training_hash, len(pool.inputs)),
                *([] if self._reads_alike(artifact, teacher) else [sha256_file(start.tokenizer), artifact.max_tokens]),
            ]
        )
        stages = STRATEGIES[self.strategy]
        weights = StudentWeights(self.representation_weight, self.logit_weight, self.label_weight)
        fits = fit_stages(
            model, stages, train, judged, Follow(task.answer, layer or 0, self.representation, weights, chain),
            settings, epochs=self._epochs, figure=judge.figure, work=context.work,
            identity=identity, device=device, say=context.say,
            shared=context.cache / f"student-{identity[:16]}" if layer is not None and len(stages) > 1 else None,
        )  # fmt: skip
        entry = record(self, artifact) | {
            "seed": context.seed,
            "result": {**start.notes, "layer": layer, "fits": fits},
        }
        return write_bilstm(
            model.cpu(), output, task=judge.task(), tokenizer=start.tokenizer, max_tokens=artifact.max_tokens,
            history=[*artifact.history, entry],
        )  # fmt: skip

    def unused(self) -> frozenset[str]:
        """Options added later that have no effect here; they are left out of identities."""
        used = {"crf": self.crf, "least_steps": self.least_steps, "pieces": self.vocabulary in LEARNT}
        return frozenset(name for name, value in used.items() if not value)

    def _epochs(self, stage: Stage, rows: int) -> int:
        alone = stage.losses == ("representation",)
        return self.epochs_of(rows, self.representation_epochs if alone else None)

    def _followed(self, artifact: Artifact, teacher: Artifact) -> tuple[int, int]:
        """The teacher layer to follow, counted from 1, and the width of its states."""
        from leanformer.models.store import read_model

        if not format_of(teacher).layers:
            raise RecipeError(
                f"compress.bilstm: {self.strategy} follows the teacher's states; that needs a teacher of a mapped "
                "family\n  remedy: strategy D1"
            )
        config = read_model(teacher).config
        depth = len(config.layers)
        if self.layer is not None and self.layer > depth:
            raise RecipeError(f"compress.bilstm: layer {self.layer}, but the teacher has only {depth}")
        # Word tokens differ from the first layer on. The token that represents a text is nearly the same for all texts
        # until
        # the last layers, and a student learns nothing from a constant.
        usual = max(1, round(7 * depth / 12)) if form_of(artifact.task).per_word else depth
        return self.layer or usual, config.hidden

    def _reads_alike(self, artifact: Artifact, teacher: Artifact) -> bool:
        """Whether student and teacher split every text into the same tokens, up to their ids."""
        from leanformer.models.writing import TOKENIZER

        same = sha256_file(artifact.file(TOKENIZER)) == sha256_file(teacher.file(TOKENIZER))
        return self.vocabulary not in LEARNT and same and artifact.max_tokens == teacher.max_tokens

    def _pools(self, data: Dataset, task: Task) -> tuple[TextPool, TextPool, Examples]:
        """The training texts, train then unlabelled; the dev texts, as a pool and as examples."""
        from leanformer.train.pool import pooled

        if data.dev is None or not data.dev.is_labelled:
            raise DataError("distillation needs a dev split to choose the best epoch by", path=data.name)
        parts = [data.train] if data.train is not None else []
        if self.use_unlabelled and self.strategy not in _LABELS_ALONE and data.unlabelled is not None:
            parts.append(data.unlabelled)
        parts, dev = [self._spoken(part) for part in parts], self._spoken(data.dev).for_task(task)
        if not any(len(part) for part in parts) or not len(dev):
            raise DataError(
                f"nothing to distil on: no train, unlabelled or dev text{self._of_language}", path=data.name,
                remedy="give the texts, or another `language`",
            )  # fmt: skip
        if not any(part.is_labelled and len(part) for part in parts):
            raise RecipeError(f"compress.bilstm: {self.strategy} learns from labels too, and no training text has one")
        if self.strategy == "D0" and len({language for part in parts for language in part.languages or ()}) > 1:
            raise RecipeError(
                "compress.bilstm: D0 learns from the labels of one language, and the data have several\n"
                "  remedy: name one by `language`, or take D0-S, which shares all"
            )
        return pooled(parts, task), pooled([dev], task), dev

    @property
    def _of_language(self) -> str:
        return "" if self.language is None else f" is said to be of language {self.language!r}"

    def _spoken(self, examples: Examples) -> Examples:
        """The examples in `language`."""
        if self.language is None:
            return examples
        known = examples.languages or ()
        return examples.select(i for i, language in enumerate(known) if language == self.language)

    def _rows(
        self, pool: TextPool, artifact: Artifact, context: Context, start: Start, layer: int | None, follows: bool
    ) -> Rows:
        """The texts as the student's token ids, with the teacher's outputs on them.

        Unless the vocabulary was learnt, the token ids are those of the source model, renumbered; tokens that the
        student does not have become unknown. In the texts that the vocabulary was made from, no token becomes unknown
        this way.
        """
        from leanformer.compress.recurrent.stages import Rows
        from leanformer.models.writing import TOKENIZER
        from leanformer.tokenizer import Tokenizer
        from leanformer.train.feeds.batches import TrainingSet
        from leanformer.train.rows import encode, paired
        from leanformer.train.teacher_outputs import teacher_outputs

        path = artifact.file(TOKENIZER) if start.renumbered is not None else start.tokenizer
        encoded = encode(Tokenizer(path, artifact.max_tokens), artifact.task, pool.inputs)
        rows = [row if row.ndim == 1 else row[:, 0] for row in encoded.rows]
        if start.renumbered is not None:
            rows = [start.renumbered[row] for row in rows]
        data = TrainingSet(
            rows, encoded.labels(pool.labels), start.model.config.padding_id, encoded.columns(pool.languages)
        )
        if not follows:
            return Rows(data, None)
        teacher = context.artifacts["teacher"]
        outputs = teacher_outputs(
            teacher, pool.inputs, cache=context.cache, hidden=() if layer is None else (layer,), device=context.device,
            say=context.say,
        )  # fmt: skip
        outputs = replace(outputs, logits=encoded.of_rows(outputs.logits))
        theirs = teacher.file(TOKENIZER)
        if layer is not None and (
            sha256_file(path) != sha256_file(theirs) or artifact.max_tokens != teacher.max_tokens
        ):
            asked = encode(Tokenizer(theirs, teacher.max_tokens), teacher.task, pool.inputs)
            outputs = replace(outputs, pairs=paired(encoded, asked))
        return Rows(data, outputs)
