"""`leanformer techniques`: the catalogue and its cards."""

from __future__ import annotations

from typing import Annotated

import typer


def techniques(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show this technique's card.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="List reference techniques too, which are no steps.")] = False,
) -> None:
    """List all techniques, or show the card of one."""
    from leanformer import catalog
    from leanformer.errors import RecipeError

    if name is None:
        names = catalog.names() + (list(catalog.REFERENCE) if all_ else [])
        width = max(len(technique) for technique in names)
        for technique in names:
            try:
                title = catalog.title(technique)
            except RecipeError as error:  # another package's, which must not hide the rest
                title = f"cannot be used: {str(error).splitlines()[0]}"
            print(f"{technique:<{width}}  {title}")
        return
    if name in catalog.REFERENCE:
        print(f"{name}: {catalog.title(name)}\n\nA reference technique, no step: {catalog.REFERENCE[name]}")
        return
    one_card = catalog.card(name)
    print(f"{one_card.name}: {one_card.title}\n")
    for field, text in one_card.fields.items():
        print(f"{field}: {text}\n")
    print("Options:")
    for option in one_card.options:
        print(f"  {option.name}: {option.type} = {option.default}\n      {option.meaning}".rstrip())
