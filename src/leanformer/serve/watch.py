"""A folder of models that is looked at while the server runs: new versions are loaded, and models come and go."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from leanformer.artifact import MANIFEST
from leanformer.errors import LeanformerError
from leanformer.serve.settings import NAME

WATCH_SECONDS = 2.0
State: TypeAlias = dict[str, tuple[int, int, int]]


def models_in(folder: Path) -> dict[str, str]:
    """Name -> artifact of the models in a folder, in the order of their names.

    Each subfolder is a model of its name. It is an artifact, or has versions of one in subfolders 1, 2, 3, ..., of
    which the highest is taken. Others are passed over: what is being written, for instance, has no manifest yet.

    Raises `LeanformerError` if there is no model, or if one is called what no model may be called.
    """
    if not folder.is_dir():
        raise LeanformerError(f"--models-from {folder}: no such folder")
    found: dict[str, str] = {}
    for model in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        versions = [path for path in model.iterdir() if path.name.isdecimal() and (path / MANIFEST).is_file()]
        if (model / MANIFEST).is_file():
            found[model.name] = str(model)
        elif versions:
            found[model.name] = str(max(versions, key=lambda path: int(path.name)))
        if model.name in found and not NAME.fullmatch(model.name):
            raise LeanformerError(
                f"{model}: a model's name consists of letters, digits, '.', '_' and '-', 64 at most\n"
                "  remedy: rename the folder"
            )
    if not found:
        raise LeanformerError(
            f"--models-from {folder}: has no model\n"
            "  remedy: put an artifact into a subfolder, which gives the model its name"
        )
    return found


def with_found(artifacts: Mapping[str, str], folder: Path | None) -> dict[str, str]:
    """The artifacts that were named, and then those in a folder. Raises `LeanformerError` for a name that both have."""
    found = {} if folder is None else models_in(folder)
    if twice := sorted(artifacts.keys() & found.keys()):
        raise LeanformerError(f"two models are called {twice[0]}: one is named, and one is in {folder}")
    return {**artifacts, **found}


def state_of(folder: Path) -> State:
    """Size, time of change and inode of every file of the models in a folder (`models_in`), or why there are none.

    What is not served, such as a version without a manifest or an older one, does not count.
    """
    try:
        found = models_in(folder)
    except (LeanformerError, OSError) as error:
        return {str(error): (0, 0, 0)}
    state: State = {}
    for artifact in found.values():
        for parent, _, names in os.walk(artifact):
            for path in (os.path.join(parent, name) for name in names):
                try:
                    told = os.stat(path)
                except OSError:  # gone meanwhile
                    continue
                state[path] = (told.st_size, told.st_mtime_ns, told.st_ino)
    return state


class Watch:
    """Calls `changed` once whenever the models of a folder have changed and then stayed as they are for a while."""

    def __init__(
        self, folder: Path, changed: Callable[[], Awaitable[object]], *, seconds: float = WATCH_SECONDS
    ) -> None:
        self._folder, self._changed, self._seconds = folder, changed, seconds
        self._known = state_of(folder)

    async def run(self) -> None:
        """Watch until cancelled."""
        before = self._known
        while True:
            await asyncio.sleep(self._seconds)
            now = await asyncio.to_thread(state_of, self._folder)
            if now == before and now != self._known:
                self._known = now
                await self._changed()
            before = now
