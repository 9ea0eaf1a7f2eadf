"""What a pre-training is made of: texts, their parts, held-out texts."""

from __future__ import annotations

from pathlib import Path

from leanformer.compress.pretrain.pretrain import Pretrain
from leanformer.compress.pretrain.work import Work
from tests.making.graphs import make_context
from tests.making.tiny import tiny_artifact, tiny_config, tiny_texts


def work(folder: Path, **options: object) -> Work:
    teacher = tiny_artifact(folder / "teacher")
    return Work(Pretrain(shape="1x16", **options), teacher, make_context(folder, teacher))  # type: ignore[arg-type]


def test_long_texts_are_split_and_nothing_of_them_is_lost(tmp_path: Path) -> None:
    long = " ".join(tiny_texts(40, seed=3)[0])
    (tmp_path / "a.txt").write_text(long, encoding="utf-8")
    made = work(tmp_path, texts=str(tmp_path / "a.txt"), max_tokens=12)
    rows = [*made.train.rows, *made.held_out.rows]
    assert len(rows) > 20 and max(map(len, rows)) == 12
    whole = sum(len(row) - 2 for row in rows)  # but [CLS] and [SEP]
    assert whole == sum(len(text.replace(".", " .").split()) for text in long.split(" "))


def test_held_out_texts_are_not_trained_on(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n".join(tiny_texts(100, seed=3)[0]), encoding="utf-8")
    made = work(tmp_path, texts=str(tmp_path / "a.txt"))
    trained, held = ({row.tobytes() for row in part.rows} for part in (made.train, made.held_out))
    assert not trained & held and (len(made.train), len(made.held_out)) == (95, 5)
    assert {row.tobytes() for rows in made._feed(40, 1).steps(0) for row in made.train.select(rows).rows} == trained


def test_a_step_takes_time(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n".join(tiny_texts(100, seed=3)[0]), encoding="utf-8")
    assert work(tmp_path, texts=str(tmp_path / "a.txt"), batch_size=8).seconds_per_step(tmp_path / "timing") > 0


def test_there_is_no_dropout_while_pre_training(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n".join(tiny_texts(100, seed=3)[0]), encoding="utf-8")
    teacher = tiny_artifact(tmp_path / "teacher", config=tiny_config(dropout=0.3, attention_dropout=0.2))
    step = Pretrain(shape="1x16", texts=str(tmp_path / "a.txt"))
    made = Work(step, teacher, make_context(tmp_path, teacher))
    assert (made.trained.config.dropout, made.trained.config.attention_dropout) == (0, 0)
    assert (made.student.config.dropout, made.student.config.attention_dropout) == (0.3, 0.2)
