"""An encoder with a random head as a benchmark takes it, and what is said of the engine beside a rate."""

from __future__ import annotations

from pathlib import Path

from benchmarks.runtime.our_engines import graphs_of, level_and_share, running, untrained
from leanformer.ladder.operations import work_of
from leanformer.runtime.native.levels import levels
from tests.making.family_models import family_artifact
from tests.making.native import needs_compiler
from tests.making.tiny import TASK, tiny_dataset, tiny_kind_dataset


@needs_compiler
def test_an_encoder_with_a_random_head_is_run_and_described(tmp_path: Path):
    data = tiny_dataset()
    encoder = family_artifact(tmp_path / "encoder", "mpnet", task=tiny_kind_dataset("multilabel").task)
    teacher = untrained(encoder.path, data, tmp_path / "teacher")
    assert teacher.task == TASK and teacher.max_tokens == 24
    again = untrained(encoder.path, data, tmp_path / "again")
    assert again.content_hash == teacher.content_hash
    graphs = graphs_of(teacher, data, tmp_path / "s", ("per_token",), max_flips=1.0, max_mean_share=10.0)
    engines, _ = running([graphs["per_token"]], threads=1)
    assert data.test is not None
    texts = data.test.texts[:20]
    told = {name: level_and_share(engine, texts, 1000.0, 1e9) for name, engine in engines.items()}
    assert told["native"]["level"] in levels() and told["onnxruntime"]["level"] is None
    lengths = [len(row) for row in engines["native"].tokenize(texts)]
    works = {name: work_of(graphs["per_token"], engines[name], lengths) for name in ("native", "onnxruntime")}
    assert told["native"]["peak_share"] == round(works["native"]["flops_per_text"] * 1000 / 1e9, 4)
    # The graph is padded, and our engine pads nothing.
    assert works["native"]["padding_waste"] is None and works["onnxruntime"]["padding_waste"] > 0
    assert works["native"]["flops_per_text"] < works["onnxruntime"]["flops_per_text"]
