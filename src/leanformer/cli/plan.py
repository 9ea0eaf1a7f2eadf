"""`leanformer plan`: what a budget of compute trains, by scaling laws, and what answering then costs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from leanformer.cli.arguments import ThreadsOption
from leanformer.errors import LeanformerError, need_torch
from leanformer.render.table import number
from leanformer.scaling import INFERENCE_FLOPS, LAWS, TRAINING_BYTES, ScalingLaw, Size, cheapest

UTILISATION = 0.4
_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}
_COUNT = re.compile(r"(\d+(?:\.\d+)?(?:e\d+)?)([kmbgt]?)", re.IGNORECASE)
_PREFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Machine:
    """What trains: operations per second, and how that is known."""

    flops_per_second: float
    method: str


def plan(
    hours: Annotated[float, typer.Option(min=0.001, help="Hours of training.")] = 8.0,
    parameters: Annotated[
        str | None, typer.Option(help="Also judge a model of so many parameters without embeddings, such as 85M.")
    ] = None,
    answered: Annotated[
        str | None, typer.Option(help="Tokens that the model will answer over its life, such as 1B: they cost too.")
    ] = None,
    gpus: Annotated[int, typer.Option(min=0, help="GPUs to train on; 0: this machine's cores, measured.")] = 0,
    gpu_tflops: Annotated[
        float | None, typer.Option(min=0.001, help="Peak of one GPU in TFLOP/s, dense, in the precision of training.")
    ] = None,
    utilisation: Annotated[
        float | None,
        typer.Option(min=0.001, max=1.0, help="Share of a GPU's peak that training reaches, assumed; default: 0.4."),
    ] = None,
    threads: ThreadsOption = None,
    usd_per_hour: Annotated[
        float | None, typer.Option(min=0, help="Price of the machine; default: cores at the price FastFormers used.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="JSON file for all figures.")] = None,
) -> None:
    """Say what a budget of compute is best spent on, by three scaling laws: parameters, tokens, loss, memory, cost."""
    from leanformer.files import write_json
    from leanformer.measure.cost import price
    from leanformer.outputs.written import check_file, is_plan
    from leanformer.runtime.cores import allowed_cores

    if output is not None:
        check_file(output, "a plan of `leanformer plan`", is_plan)
    count, life = _count("--parameters", parameters), _count("--answered", answered)
    cores = threads or allowed_cores()
    machine = _machine(gpus, gpu_tflops, utilisation, cores)
    if gpus and usd_per_hour is None:
        cost: dict[str, Any] | None = None
    else:
        cost = price(usd_per_hour, cores)
    flops = 3600 * hours * machine.flops_per_second
    planned = {
        "hours": hours, "machine": asdict(machine), "flops": flops, "price": cost, "answered_tokens": life,
        "sizes": list(_sizes(flops, count, life)),
    }  # fmt: skip
    if output is not None:
        write_json(output, planned)
    print("\n".join(_lines(planned)))


def _count(option: str, text: str | None) -> float | None:
    if text is None:
        return None
    found = _COUNT.fullmatch(text.strip())
    value = 0.0 if found is None else float(found[1]) * _UNITS[found[2].lower()]
    if not 1 <= value <= 1e18:
        raise LeanformerError(f"{option} {text}: not a number such as 85M or 1.5B\n  remedy: {option} 85M")
    return value


def _machine(gpus: int, tflops: float | None, utilisation: float | None, cores: int) -> Machine:
    if gpus == 0:
        for option, value in (("--gpu-tflops", tflops), ("--utilisation", utilisation)):
            if value is not None:
                raise LeanformerError(f"{option}: there is no GPU\n  remedy: add --gpus 1, or leave {option} out")
        need_torch("measuring how fast this machine trains")
        from leanformer.train.training_rate import measure_training

        rate = measure_training(threads=cores)
        return Machine(rate.flops_per_second, rate.method)
    if tflops is None:
        raise LeanformerError("--gpus: the peak of a GPU is not known\n  remedy: add --gpu-tflops 312 (an A100, bf16)")
    share = UTILISATION if utilisation is None else utilisation
    return Machine(gpus * tflops * 1e12 * share, f"{gpus} x {number(tflops)} TFLOP/s x {share:g}, not measured")


def _sizes(flops: float, parameters: float | None, answered: float | None) -> Iterator[dict[str, Any]]:
    """For each law: the best size, the given one, and the one that is cheapest with what it answers."""
    for law in LAWS:
        best = law.optimal(flops)
        yield _size(law, "best for this budget", best, answered)
        if parameters is not None:
            yield _size(law, "as given", Size(parameters, flops / Size(parameters, 1).training_flops), answered)
        if answered is not None:
            yield _size(law, "same loss, least with answers", cheapest(law, law.loss(best), answered), answered)


def _size(law: ScalingLaw, what: str, size: Size, answered: float | None) -> dict[str, Any]:
    return {
        "law": law.name, "what": what, "parameters": size.parameters, "tokens": size.tokens, "loss": law.loss(size),
        "training_flops": size.training_flops, "training_bytes": TRAINING_BYTES * size.parameters,
        "answering_flops": None if answered is None else INFERENCE_FLOPS * size.parameters * answered,
        "extrapolated": not law.smallest <= size.parameters <= law.largest,
    }  # fmt: skip


def _lines(planned: dict[str, Any]) -> Iterator[str]:
    machine, sizes, cost = planned["machine"], planned["sizes"], planned["price"]
    rate = machine["flops_per_second"]
    yield f"{number(rate / 1e9)} GFLOP/s of training ({machine['method']})"
    spent = f", {number(planned['hours'] * cost['usd_per_hour'])} USD ({cost['basis']})" if cost else ""
    yield f"{planned['hours']:g} hours: {planned['flops']:.3g} operations{spent}"
    yield ""
    life = planned["answered_tokens"]
    last = "" if life is None else f"  training and {_short(life)} answered"
    yield f"{'law':16}{'':31}{'parameters':>12} {'tokens':>9} {'a parameter':>12} {'loss':>6} {'memory':>9}{last}"
    for size in sizes:
        both = "" if life is None else f"  {size['training_flops'] + size['answering_flops']:.3g} operations"
        loss = f"{size['loss']:.2f}" if math.isfinite(size["loss"]) else "-"
        yield (
            f"{size['law']:16}{size['what']:31}{_short(size['parameters']) + ('*' if size['extrapolated'] else ''):>12}"
            f" {_short(size['tokens']):>9} {_short(size['tokens'] / size['parameters']):>12} {loss:>6}"
            f" {number(size['training_bytes'] / 1e9) + ' GB':>9}{both}"
        )
    yield ""
    if any(size["extrapolated"] for size in sizes):
        yield "* outside the sizes that the law was fitted to"
    yield "Parameters are without embeddings, loss in nats a token of English web text; memory is weights, gradients"
    yield "and AdamW's moments in fp32, without activations. The laws are of decoders: of a fine-tuned encoder they say"
    yield "little."


def _short(value: float) -> str:
    for size, prefix in _PREFIXES:
        if value >= size:
            return f"{value / size:.3g}{prefix}"
    return f"{value:.3g}"
