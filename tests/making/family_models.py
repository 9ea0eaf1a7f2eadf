"""Small models of the mapped families as artifacts: weights of stock `transformers`, tokenizers trained on the spot."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from leanformer.artifact import Artifact
from leanformer.models.classifier import Classifier
from leanformer.models.hf.checkpoint import read_classifier
from leanformer.models.store import write_classifier
from leanformer.task import Task
from tests.making.foreign_tokenizers import train_tokenizer
from tests.making.tiny import TASK
from tests.parity.comparing import saved
from tests.parity.families import FAMILIES, LENGTH

# Every family, and of ModernBERT the variants that differ in what pruning touches. Its five layers are the only ones
# of several kinds: the first without a norm, some with windows.
CASES = [
    ("roberta", "two types"), ("distilbert", "plain"), ("electra", "plain"), ("mpnet", "plain"),
    ("modernbert", "plain"), ("modernbert", "mean"), ("modernbert", "biases"),
]  # fmt: skip
TOKENIZERS = {
    "roberta": "byte-level", "xlm-roberta": "unigram", "camembert": "unigram", "distilbert": "wordpiece",
    "electra": "wordpiece", "mpnet": "byte-level", "modernbert": "byte-level",
}  # fmt: skip


@cache
def _tokenizer(kind: str) -> tuple[int, bytes]:
    with TemporaryDirectory() as folder:
        return train_tokenizer(kind, Path(folder)), (Path(folder) / "tokenizer.json").read_bytes()


def family_classifier(
    name: str, variant: str = "plain", *, labels: int = 3, vocabulary: int | None = None
) -> Classifier:
    """A model in eval mode whose weights all matter; 4 heads of 8 and 40 units in each layer."""
    changes = {} if vocabulary is None else {"vocab_size": vocabulary}
    with TemporaryDirectory() as folder:
        stock = saved(FAMILIES[name].model(variant, num_labels=labels, **changes), Path(folder))
        return read_classifier(stock, labels)[0].eval()


def family_artifact(folder: Path, name: str, variant: str = "plain", *, task: Task = TASK) -> Artifact:
    """Such a model with a tokenizer of its family's kind, in the new folder `folder`."""
    size, content = _tokenizer(TOKENIZERS[name])
    with TemporaryDirectory() as temporary:
        tokenizer = Path(temporary) / "tokenizer.json"
        tokenizer.write_bytes(content)
        model = family_classifier(name, variant, labels=task.outputs, vocabulary=size)
        return write_classifier(model, folder, task=task, tokenizer=tokenizer, max_tokens=LENGTH, history=[])
