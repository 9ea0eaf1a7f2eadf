"""OpenVINO behind the engine protocol: packs of one line, in a few fixed shapes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any

import numpy as np

from leanformer.artifact import AGAIN
from leanformer.errors import ArtifactError, MissingExtraError
from leanformer.machine import instruction_sets
from leanformer.runtime.packing import Lines, fill_lines, pack, unpack

_FIRST_USE = Lock()
_TELEMETRY = "openvino_telemetry"


def import_openvino() -> Any:
    """The module `openvino`, without the telemetry that its import starts, unless the user has consented to it.

    Its only switch is a file in the home folder (written by its command `opt_in_out`), and a missing file counts as
    consent: importing it would write a client id there and send an event to Google Analytics. It works without its
    package `openvino_telemetry`, so that package is hidden from it. In a process that has imported it before, nothing
    changes.

    Raises `MissingExtraError` without OpenVINO.
    """
    hidden = _TELEMETRY not in sys.modules and not _has_agreed()
    with _FIRST_USE:
        if hidden:
            sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # what `import` takes for "not there"
        try:
            import openvino
        except ImportError as error:
            raise MissingExtraError("the engine openvino", "openvino") from error
        finally:
            if hidden:
                sys.modules.pop(_TELEMETRY, None)
    return openvino


def _has_agreed() -> bool:
    """Whether the user has consented to OpenVINO's telemetry."""
    try:
        return (Path.home() / "intel" / "openvino_telemetry").read_text(encoding="utf-8").strip() == "1"
    except (OSError, RuntimeError, ValueError):
        return False


# For CPUs on which `saturates` holds: multiply in fp32, and switch off code generation for chains of small operators,
# with which probabilities were wrong by 0.33 there.
_WITHOUT_DOT_PRODUCTS = {"LP_TRANSFORMS_MODE": "NO", "SNIPPETS_MODE": "DISABLE"}


def saturates(flags: Sequence[str]) -> bool:
    """Whether int8 products overflow on a CPU with these flags.

    On x86 without int8 dot products OpenVINO multiplies with an instruction that adds pairs in 16 bits and saturates;
    products of 64 numbers were wrong by a sixth of their range (benchmarks/runtime/other_cpu.py emulates such a CPU).
    """
    return "avx2" in flags and not {"avx512_vnni", "avx_vnni", "amx_int8"} & set(flags)


class OpenVinoEngine:
    """OpenVINO on a packed graph.

    Its kernels are faster for shapes known in advance, so a line is 32, 64, 128, ... tokens long and padded; best fit
    leaves little padding. A shape is compiled when it is first needed, which takes about a second.

    Args:
        path: the graph; inputs `ids`, `positions`, `segments`, `first`.
        threads: threads that work together on one call.
        streams: how many calls may run at the same time, each on `threads` threads.

    Raises `MissingExtraError` without OpenVINO, `ArtifactError` for a file that it cannot load or that is not packed.
    """

    LINE_TOKENS, SHORTEST = 128, 32
    # A line has room for one sequence per this number of tokens.
    _TOKENS_PER_SEQUENCE = 4

    def __init__(self, path: Path, threads: int, *, streams: int = 1) -> None:
        openvino = import_openvino()
        with _FIRST_USE:
            # The bindings initialise numpy at the first use of `data`, and two threads that do so at once deadlock (one
            # holds the GIL, the other the lock of the initialisation). So it is done once, here.
            _ = openvino.Tensor(np.zeros(1, np.float32)).data
        self._path, self._core = path, openvino.Core()
        self._settings = {
            "INFERENCE_NUM_THREADS": threads * streams,
            "NUM_STREAMS": streams,
            "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
            # Two processes pinned to the same cores would starve each other.
            "ENABLE_CPU_PINNING": False,
            # On a CPU with bfloat16 products (AMX) it uses them by default, and fp32 results are wrong from the third
            # digit on. Everything in a graph that is not int8 must be computed in fp32.
            "INFERENCE_PRECISION_HINT": "f32",
        }
        if saturates(instruction_sets()):
            self._settings |= _WITHOUT_DOT_PRODUCTS
        self._requests: dict[tuple[int, int], tuple[Any, SimpleQueue[Any]]] = {}
        self._lock = Lock()
        try:
            names = {input_.get_any_name() for input_ in self._core.read_model(path).inputs}
            self._types, self._takes_first = "types" in names, "first" in names
        except Exception as error:  # RuntimeError for a broken file, other classes for other causes
            raise ArtifactError(f"{path}: OpenVINO cannot load it ({error})") from error
        if "segments" not in names:
            raise ArtifactError(
                f"{path}: the engine openvino runs packed graphs only\n"
                "  remedy: the engine onnxruntime, or export the model again"
            )

    def cut(self, rows: Sequence[np.ndarray], tokens: int | None = None) -> list[Lines]:
        width = tokens or self.LINE_TOKENS
        most = max(1, width // self._TOKENS_PER_SEQUENCE)
        return [
            [line[start : start + most]]
            for lines in fill_lines([len(row) for row in rows], width, width)
            for line in lines
            for start in range(0, len(line), most)
        ]

    def run(self, rows: Sequence[np.ndarray], lines: Lines) -> np.ndarray:
        (line,) = lines
        width, places = self._shape(sum(len(rows[i]) for i in line), len(line))
        packed = pack(rows, lines, width)
        first = np.zeros(places, np.int64)
        first[: len(line)] = packed.first
        try:
            compiled, idle = self._compiled(width, places)
        except Exception as error:  # as at loading
            raise ArtifactError(f"{self._path}: OpenVINO cannot compile it ({error}){AGAIN}") from error
        try:
            request = idle.get_nowait()
        except Empty:
            request = compiled.create_infer_request()
        try:
            feed = packed.feed(types=self._types, first=self._takes_first)
            request.infer(feed | {"first": first} if self._takes_first else feed)
            values = request.get_output_tensor().data
            return np.array(values[: len(line)] if self._takes_first else unpack(values, rows, lines))
        except MemoryError:
            raise
        except Exception as error:  # as at loading
            raise ArtifactError(f"{self._path}: OpenVINO cannot run it ({error}){AGAIN}") from error
        finally:
            idle.put(request)

    def _shape(self, tokens: int, sequences: int) -> tuple[int, int]:
        """Length of the line and number of sequence slots; a single text has one slot only."""
        width = self.SHORTEST
        while width < tokens or width // self._TOKENS_PER_SEQUENCE < sequences:
            width *= 2
        return width, 1 if sequences == 1 else width // self._TOKENS_PER_SEQUENCE

    def _compiled(self, width: int, places: int) -> tuple[Any, SimpleQueue[Any]]:
        with self._lock:
            if (width, places) not in self._requests:
                model = self._core.read_model(self._path)
                line = [1, width]
                lines = ("ids", "positions", "segments", *(("types",) if self._types else ()))
                model.reshape({name: line for name in lines} | ({"first": [places]} if self._takes_first else {}))
                self._requests[width, places] = self._core.compile_model(model, "CPU", self._settings), SimpleQueue()
            return self._requests[width, places]
