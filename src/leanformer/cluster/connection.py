"""A connection to a Ray cluster, or a small one on this machine."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from leanformer.errors import LeanformerError, MissingExtraError

LOCAL = "local"
# Chunks of text are small; Ray would take a third of the memory of the machine.
_STORE_BYTES = 128 << 20
# What names the token by which the processes of a cluster know each other, or says that there is none.
_TOKEN_NAMES = {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}


@contextmanager
def connected(address: str, *, local_cores: int) -> Iterator[Any]:
    """The module `ray`, connected; a connection made here is ended here, one that was there before is left.

    Args:
        address: of a cluster ("HOST:PORT", "ray://HOST:PORT", "auto"), or "local" for one on this machine that ends
            with the block.
        local_cores: processors that the local one may hand out.

    Raises `MissingExtraError` without Ray, and `LeanformerError` for a cluster that cannot be reached.
    """
    if address == LOCAL and not _TOKEN_NAMES & set(os.environ):
        # Ray would write one into the home folder. Its processes inherit this one, and it ends with ours.
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
    """How many tasks of so many cores the cluster runs at once just now.

    Raises `LeanformerError` where it is none.
    """
    whole = float(ray.cluster_resources().get("CPU", 0))
    largest = max((float(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]), default=0.0)
    if largest < cores:
        raise LeanformerError(
            f"a task takes {cores} cores, and no machine of the cluster has more than {largest:g}\n"
            "  remedy: ask for fewer, or add a larger machine"
        )
    return max(1, int(whole // cores))
