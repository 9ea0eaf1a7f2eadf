"""`leanformer export`: one standard ONNX file, or a stock Hugging Face folder."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from leanformer.cli.arguments import need_torch
from leanformer.errors import LeanformerError


def export(
    artifact: Annotated[Path, typer.Argument(metavar="ARTIFACT", help="Folder of the artifact.")],
    output: Annotated[Path, typer.Option(help="New file (onnx) or folder (transformers) to write.")],
    to: Annotated[
        str, typer.Option(help="onnx: one standard ONNX file; transformers: a stock Hugging Face folder.")
    ] = "onnx",
    token_types: Annotated[bool, typer.Option(help="Add the third input token_type_ids to the ONNX file.")] = False,
    base: Annotated[
        str | None, typer.Option(help="For an adapter of peft: its base model, if that is not where the adapter says.")
    ] = None,
    portable: Annotated[
        bool, typer.Option(help="Store int8 weights with 7 bits, so that the file gives the same answers on every CPU.")
    ] = False,
) -> None:
    """Export ARTIFACT for other programs: ONNX Runtime in any language, Triton, or transformers.

    A folder with an adapter of peft is merged with its base model into a transformers folder.
    """
    from leanformer.artifact import open_artifact
    from leanformer.outputs.folders import check_empty, foreign_output
    from leanformer.outputs.place import file_place, folder_place

    if (artifact / "adapter_config.json").is_file() and to == "transformers":
        check_empty(output)
        folder_place(output)
        need_torch("merging an adapter")
        from leanformer.models.hf.peft import merge_adapter
        from leanformer.models.store import find_checkpoint

        with foreign_output(output) as folder:
            merge_adapter(artifact, folder, None if base is None else find_checkpoint(base))
        print(output)
        return
    if base is not None:
        raise LeanformerError("--base is for adapters, with --to transformers\n  remedy: leave it out")
    opened = open_artifact(artifact)
    check_empty(output)
    if to == "onnx":
        file_place(output)
        need_torch("writing an ONNX file")
        from leanformer.export.standard import write_standard_onnx

        if note := write_standard_onnx(opened, output, token_types=token_types, portable=portable):
            print(f"note: {note}", file=sys.stderr)
    elif to == "transformers":
        if portable:
            raise LeanformerError("--portable: of an ONNX file; a transformers folder is fp32\n  remedy: leave it out")
        folder_place(output)
        need_torch("writing a transformers folder")
        from leanformer.models.hf.checkpoint import write_checkpoint
        from leanformer.models.store import read_model, write_tokenizer_config
        from leanformer.models.writing import TOKENIZER

        with foreign_output(output) as folder:
            write_checkpoint(read_model(opened), opened.task, folder)
            shutil.copyfile(opened.file(TOKENIZER), folder / TOKENIZER)
            write_tokenizer_config(opened, folder)
    else:
        raise LeanformerError(f"--to {to}: one of onnx, transformers")
    print(output)
