"""A connection to a Ray cluster, or to a small one on this machine."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from leanformer.errors import LeanformerError, MissingExtraError

LOCAL = "local"
# Chunks of text are small; by default Ray would reserve a third of the machine's memory.
_STORE_BYTES = 128 << 20
# Variables that give the token with which the processes of a cluster authenticate, or say that there is none.
_TOKEN_NAMES = {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}


@contextmanager
def connected(address: str, *, local_cores: int) -> Iterator[Any]:
    """The connected module `ray`; a connection made here is closed here, an existing one is left open.

    Args:
        address: of a cluster ("HOST:PORT", "ray://HOST:PORT", "auto"), or "local" for one on this machine that ends
            with the block.
        local_cores: number of processors of the local one.

    Raises `MissingExtraError` without Ray, and `LeanformerError` for a cluster that cannot be reached.
    """
    if address == LOCAL and not _TOKEN_NAMES & set(os.environ):
        # Otherwise Ray would write a token into the home folder. Its processes inherit this one, and it ends with ours.
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("running on a Ray cluster", "cluster") from error
    if ray.is_initialized():
        yield ray
        return
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address == LOCAL:
            ray.init(
                address=LOCAL, num_cpus=local_cores, include_dashboard=False, object_store_memory=_STORE_BYTES, **quiet
            )
        else:
            ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise LeanformerError(
            f"--ray {address}: no Ray cluster is reached there ({(str(error) or repr(error)).splitlines()[0]})"
            "\n  remedy: start one with ray start --head, and give its address; or local"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def slots(ray: Any, cores: int) -> int:
    """How many tasks with `cores` cores each the cluster can currently run at once.

    Raises `LeanformerError` if it cannot run any.
    """
    whole = float(ray.cluster_resources().get("CPU", 0))
    largest = max((float(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]), default=0.0)
    if largest < cores:
        raise LeanformerError(
            f"a task takes {cores} cores, and no machine of the cluster has more than {largest:g}\n"
            "  remedy: ask for fewer, or add a larger machine"
        )
    return max(1, int(whole // cores))
