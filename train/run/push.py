"""Publishes a checkpoint of a run on the Hugging Face Hub, with a card.

python -m train push runs/my/checkpoint me/my-model              # as huggingface-cli login has it
python -m train push runs/my/checkpoint me/my-model --private
python -m train push runs/my/checkpoint me/my-model --dry-run    # prints the card

The card has data, recipe, figures and licence, from the run's own files, and how to load it.
HF_ENDPOINT names another Hub.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ssc.entry import command
from ssc.errors import DownloadError, InputError
from train.markdown import table
from train.run.curves import measure
from train.run.steps import FILES

CARD = "README.md"
LICENCE = "apache-2.0"


def card_of(folder: Path, name: str, licence: str) -> str:
    """The model card of a checkpoint in a run's folder.

    Raises:
        InputError: it is no checkpoint of a run.
    """
    from huggingface_hub import ModelCardData

    run = folder.parent
    if not (folder / "model.safetensors").exists():
        raise InputError(f"{folder}: expected a checkpoint, got no model.safetensors")
    settings = _json(run / "run.json")
    if settings is None:
        raise InputError(f"{run}: expected the folder of a train run, got no run.json")
    head = ModelCardData(
        language="en",
        license=licence,
        library_name="segment-select-correct",
        pipeline_tag="image-segmentation",
        tags=["referring-expression-segmentation"],
    ).to_yaml()
    parts = [
        f"---\n{head}\n---",
        f"# {name.rpartition('/')[2]}",
        "Referring segmentation, stage 3 of "
        "[Segment, Select, Correct](https://arxiv.org/abs/2310.13479): from a picture and an "
        "expression to a mask. It is trained on pictures and expressions alone"
        + (", and true masks." if settings["recipe"] == "supervised" else "."),
        f"```python\nimport ssc\n\nresult = ssc.find(PICTURE, EXPRESSION, "
        f'models="{settings["model set"]}", correct="{name}")\nresult.mask\n```',
        "## Training",
        table(("", ""), [[key, f"`{value}`"] for key, value in settings.items()]),
    ]
    if figures := _figures(_json(run / "evaluation.json")):
        parts += ["## Figures", "mIoU, or P@0.5 of boxes, in per cent.", figures]
    return "\n\n".join(parts) + "\n"


def _figures(evaluation: Mapping[str, Any] | None) -> str:
    rows = [
        [split, title, f"{100 * value:.1f}"]
        for split, groups in (evaluation or {"splits": {}})["splits"].items()
        for title, own in groups["all"]["rows"].items()
        if (value := measure(own)) is not None
    ]
    return table(("data", "method", ""), rows) if rows else ""


def _json(path: Path) -> Any:
    with suppress(OSError):
        return json.loads(path.read_text())
    return None


def push(folder: Path, name: str, card: str, private: bool) -> str:
    """Makes the repository where it is missing, and one commit of all files; returns its address.

    Raises:
        DownloadError: no network, no permission, or the Hub refuses it.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    files = [file for file in sorted(folder.iterdir()) if file.suffix in FILES]
    whole = [CommitOperationAdd(file.name, str(file)) for file in files]
    whole.append(CommitOperationAdd(CARD, card.encode("utf-8", "backslashreplace")))
    api = HfApi()
    try:
        made = api.create_repo(name, private=private, exist_ok=True)
        api.create_commit(name, whole, commit_message="A checkpoint of stage 3 and its card")
    except Exception as error:  # of any kind: its network library's, which differ by version, too
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise DownloadError(
            f"{name}: the Hub does not take it: {first}; log in with hf auth login, and see that "
            "the name is yours"
        ) from error
    return str(made)


@command()
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train push", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("checkpoint", type=Path, help="folder of a run's checkpoint, such as runs/my/checkpoint")
    add("name", metavar="NAME", help="repository on the Hub, such as me/my-model")
    add("--licence", default=LICENCE, help=f"of the checkpoint; default: {LICENCE}")
    add("--private", action="store_true", help="for yourself alone")
    add("--dry-run", action="store_true", help="print the card, and stop")
    args = parser.parse_args(argv)
    card = card_of(args.checkpoint, args.name, args.licence)
    if args.dry_run:
        print(card)
        return
    print(f"{args.checkpoint}: published as {push(args.checkpoint, args.name, card, args.private)}")


if __name__ == "__main__":
    main()
