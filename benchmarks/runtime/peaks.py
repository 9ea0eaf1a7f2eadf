"""What this machine multiplies at best, by kind of instruction: benchmarks/results/peaks.json.

    python -m benchmarks.runtime.peaks [--rounds 40]

Products a second (a multiply-add is one) of fp32, 16-bit and 8-bit instructions with operands in registers, the best of
the rounds: of one core, and of all at once, which is less than so many times one where they share what multiplies. In
8 bits on AVX2 with the step that moves the sign from one operand to the other, which products of two signed bytes need,
and without; with dot products (VNNI) where the CPU has them. AMX is not measured. x86-64 alone.
"""

from __future__ import annotations

import argparse
import ctypes
import platform
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.paths import RESULTS
from benchmarks.provenance import provenance, watch
from leanformer.files import write_json
from leanformer.machine import instruction_sets
from leanformer.runtime.cores import allowed_cores
from leanformer.runtime.native.compiler import find_compiler

SOURCE = Path(__file__).with_suffix(".cpp")
# Function -> the instruction set that it needs.
KINDS = {
    "fp32": "avx2", "int16": "avx2", "int8_signed": "avx2", "int8": "avx2",
    "fp32_512": "avx512f", "vnni": "avx_vnni", "vnni_512": "avx512_vnni",
}  # fmt: skip


def peaks(rounds: int = 40, threads: int = 1) -> dict[str, float]:
    """Products a second of so many threads at once, for each kind that this CPU has; none on other architectures.

    Raises `LeanformerError` without a compiler.
    """
    if platform.machine() not in ("x86_64", "AMD64"):
        return {}
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "peaks.so"
        command = [*find_compiler(), "-std=c++17", "-O2", "-fPIC", "-shared", str(SOURCE), "-o", str(built)]
        subprocess.run(command, check=True, timeout=120)
        library, found = ctypes.CDLL(str(built)), set(instruction_sets())
        rates = {}
        for kind, needed in KINDS.items():
            if needed in found:
                measure = getattr(library, kind)
                measure.restype = ctypes.c_double
                # Calls into the library do not hold Python's lock.
                with ThreadPoolExecutor(threads) as pool:
                    rates[kind] = sum(pool.map(measure, [rounds] * threads))
        return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--output", type=Path, default=RESULTS / "peaks.json")
    arguments = parser.parse_args()
    begun = watch()
    cores = allowed_cores()
    rates, together = peaks(arguments.rounds), peaks(arguments.rounds, cores)
    if not rates:
        sys.exit("there is no x86-64 CPU with AVX2 here, and the loops are written for no other")
    for kind, rate in rates.items():
        told = f"{rate / 1e9:7.1f} thousand million products a second, {together[kind] / 1e9:.1f} on {cores} cores"
        print(f"{kind:12} {told}")
    result = {"products_per_second": rates, "of_all_cores": together, "rounds": arguments.rounds}
    write_json(arguments.output, result | provenance(cores, begun))


if __name__ == "__main__":
    main()
