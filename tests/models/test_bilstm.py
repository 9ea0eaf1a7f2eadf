"""The recurrent classifier: the same as PyTorch's own on packed sequences, whatever the padding; saved and read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from leanformer.artifact import open_artifact
from leanformer.errors import ArtifactError, CheckpointError
from leanformer.models.bilstm import BiLstm, both_ways
from leanformer.models.bilstm_store import read_bilstm, write_bilstm
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import read_model
from leanformer.predictor import logits
from leanformer.shapes.recurrent import PARTS, BiLstmConfig
from leanformer.task import Task
from tests.making.recurrent import recurrent_artifact, tiny_recurrent
from tests.making.tagged import TASK, tagged_examples
from tests.making.tiny import tiny_tokenizer

LENGTHS = (7, 1, 5, 7, 3)


def block() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    lengths = torch.tensor(LENGTHS)
    mask = (torch.arange(max(LENGTHS))[None, :] < lengths[:, None]).long()
    return torch.randint(5, 40, mask.shape, generator=generator) * mask, mask


@pytest.mark.parametrize("train", [False, True])
def test_both_ways_are_the_librarys_packed_sequences(train: bool) -> None:
    model, (ids, mask) = tiny_recurrent().train(train), block()
    x, lengths = model.embedding(ids).detach(), mask.sum(dim=1)
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    expected, _ = nn.utils.rnn.pad_packed_sequence(model.lstm(packed)[0], batch_first=True)
    found = both_ways(model.lstm, x, lengths)
    torch.testing.assert_close(found * mask[..., None], expected, atol=1e-5, rtol=0)
    if train:
        gradients = []
        for value in (found, expected):
            model.zero_grad()
            (value * mask[..., None]).pow(2).sum().backward()
            gradients.append([parameter.grad.clone() for parameter in model.lstm.parameters()])  # type: ignore[union-attr]
        for ours, theirs in zip(*gradients, strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("pooling", ["none", "ends"])
def test_padding_changes_nothing(pooling: str) -> None:
    model, (ids, mask) = tiny_recurrent(pooling=pooling), block()
    wide = [torch.cat([tensor, torch.zeros(len(tensor), 4, dtype=torch.long)], dim=1) for tensor in (ids, mask)]
    wide[0][:, -4:] = 9
    with torch.no_grad():
        alone, together, wider = model(ids[2:3, :5], mask[2:3, :5]), model(ids, mask), model(*wide)
    if pooling == "none":
        alone, together, wider = alone[0], together[2, :5], wider[2, :5]
    else:
        alone, together, wider = alone[0], together[2], wider[2]
    torch.testing.assert_close(alone, together, atol=1e-6, rtol=0)
    torch.testing.assert_close(alone, wider, atol=1e-6, rtol=0)


def test_every_token_matters_to_a_pooled_text() -> None:
    model, (ids, mask) = tiny_recurrent(pooling="ends"), block()
    with torch.no_grad():
        before = model(ids, mask)
        for place in range(LENGTHS[2]):
            changed = ids.clone()
            changed[2, place] = (changed[2, place] + 7) % 40
            after = model(changed, mask)
            assert (after[2] - before[2]).abs().max() > 1e-6
            assert torch.equal(after[0], before[0])


def test_parts_are_all_parameters() -> None:
    model = tiny_recurrent()
    parts = model.parts()
    assert tuple(parts) == PARTS
    assert sum(p.numel() for part in parts.values() for p in part.parameters()) == sum(
        p.numel() for p in model.parameters()
    )


@pytest.mark.parametrize("pooling", ["none", "ends"])
def test_operations_are_those_that_pytorch_counts(pooling: str) -> None:
    """Within one per cent; the library counts no LSTM, so its two cells are written out as products."""
    model = tiny_recurrent(pooling=pooling)
    config, rows, tokens = model.config, 3, 9
    x, state = torch.zeros(rows, config.embedding), torch.zeros(rows, config.units)
    read = torch.zeros(rows, tokens, 2 * config.units) if pooling == "none" else torch.zeros(rows, 2 * config.units)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        for _ in range(2 * tokens):
            x @ model.lstm.weight_ih_l0.T + state @ model.lstm.weight_hh_l0.T
        model.head(model.projection(read))
    assert config.shape().flops(rows, tokens) == pytest.approx(counter.get_total_flops(), rel=0.01)


def test_an_artifact_is_read_as_it_was_written(tmp_path: Path) -> None:
    model = tiny_recurrent()
    artifact = recurrent_artifact(tmp_path / "a", model=model)
    assert (artifact.format, artifact.task) == ("bilstm", TASK)
    assert artifact.properties["parameters"] == sum(p.numel() for p in model.parameters())
    again = read_bilstm(open_artifact(artifact.path))
    assert again.config == model.config and not again.training
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    values = logits(TorchPredictor(artifact), tagged_examples(9, 5).texts)
    assert [len(value) for value in values] == [len(text.split(" ")) for text in tagged_examples(9, 5).texts]


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    model = tiny_recurrent()
    tokenizer = tiny_tokenizer(tmp_path)
    for task in (Task("tokens", ("O", "B-X", "I-X")), Task("classification", TASK.labels)):
        with pytest.raises(ValueError, match="logits"):
            write_bilstm(model, tmp_path / "no", task=task, tokenizer=tokenizer, max_tokens=32, history=[])
    assert not (tmp_path / "no").exists()
    artifact = recurrent_artifact(tmp_path / "a")
    with pytest.raises(ArtifactError, match="no encoder weights"):
        read_model(artifact)
    with pytest.raises(CheckpointError, match="pooling"):
        replace(model.config, pooling="mean")
    with pytest.raises(CheckpointError, match="units must be"):
        replace(model.config, units=0)
    for broken in ({**model.config.to_json(), "depth": 2}, {"units": 3}):
        with pytest.raises(CheckpointError, match="not the configuration"):
            BiLstmConfig.from_json(json.loads(json.dumps(broken)))


def test_a_seed_draws_the_same_model() -> None:
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(BiLstm(tiny_recurrent().config).lstm.weight_ih_l0)
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
