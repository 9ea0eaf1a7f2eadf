"""The answer to one question, as Python and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from leanformer.task import Question


@dataclass(frozen=True)
class Span:
    """An entity in a text.

    Attributes:
        label: its type.
        start, end: its first character and its end (exclusive): it is `text[start:end]` of the original text.
        text: that substring.
        probability: mean probability of the tags of its words, computed for each word separately; with learnt tag
            transitions, over all tag sequences.
    """

    label: str
    start: int
    end: int
    text: str
    probability: float


@dataclass(frozen=True)
class Answer:
    """An answer to a question in its context, or that there is none.

    Attributes:
        text: the piece of the context, letter for letter; "" for no answer.
        start, end: its first character and its end (exclusive): it is `context[start:end]`.
        probability: among all pieces of the context and, if the model may say so, no answer.
    """

    text: str
    start: int
    end: int
    probability: float


@dataclass(frozen=True)
class Prediction:
    """The answer for one text or pair of texts; which fields are set depends on the task.

    Attributes:
        label: name of the most probable label; None if the answer is not a single label.
        probabilities: label name -> probability, in the order of the task's labels. For a single label they sum to 1;
            for any number of labels they are independent. Empty for a score and for tags.
        labels: the names of all labels that apply, if any number may; else None.
        score: the score on the scale of the training data, if the answer is a score; else None.
        tags: the tag of each word in IOB2, if the answer is tags; else None. Always a legal sequence.
        words: the words that `tags` belong to, in order; else None.
        spans: the entities in the tags, in order, with their positions in the text; else None.
        choice: the index of the chosen candidate, from 0, if the task is multiple choice; else None.
        shares: the probability of each candidate, in order, if the task is multiple choice; else None.
        answers: the best answers, if they are pieces of a context, the one that is given first; else None. Its text is
            "" if there is no answer.
        vector: the text as a vector of length 1, if the answer is a vector; else None.
    """

    label: str | None
    probabilities: dict[str, float]
    labels: tuple[str, ...] | None = None
    score: float | None = None
    tags: tuple[str, ...] | None = None
    words: tuple[str, ...] | None = None
    spans: tuple[Span, ...] | None = None
    vector: tuple[float, ...] | None = None
    choice: int | None = None
    shares: tuple[float, ...] | None = None
    answers: tuple[Answer, ...] | None = None


def to_record(question: Question, prediction: Prediction) -> dict[str, Any]:
    """An answer as JSON together with its question: the text or texts, and the fields that are set."""
    if prediction.spans is not None:
        spans = [asdict(span) | {"probability": round(span.probability, 6)} for span in prediction.spans]
        # For a list of words, positions refer to the joined text.
        words: Any = question
        return {"text": question if isinstance(question, str) else " ".join(words), "spans": spans}
    if prediction.shares is not None:
        text, choices = question[0], question[1]
        shares = [round(share, 6) for share in prediction.shares]
        return {"text": text, "choices": list(choices), "choice": prediction.choice, "probabilities": shares}
    if prediction.answers is not None:
        first, *others = (answer_fields(answer) for answer in prediction.answers)
        return {"question": question[0], **first, "others": others}
    record: dict[str, Any] = (
        {"text": question} if isinstance(question, str) else {"text": question[0], "text_pair": question[1]}
    )
    if prediction.label is not None:
        record["label"] = prediction.label
    if prediction.labels is not None:
        record["labels"] = list(prediction.labels)
    if prediction.vector is not None:
        return record | {"vector": [round(value, 8) for value in prediction.vector]}
    if prediction.score is not None:
        return record | {"score": round(prediction.score, 6)}
    return record | {"probabilities": {name: round(value, 6) for name, value in prediction.probabilities.items()}}


def answer_fields(answer: Answer) -> dict[str, Any]:
    """An answer in a context as JSON; null stands for no answer."""
    place = (answer.text, answer.start, answer.end) if answer.text else (None, None, None)
    return dict(zip(("answer", "start", "end"), place, strict=True)) | {"score": round(answer.probability, 6)}
