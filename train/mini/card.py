"""Writes a mini model's folder: half-precision weights, configuration and the Hub's model card."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from ssc.writing import write_whole

CARD = """---
{head}
---

# {title}

{about}

Part of an implementation of [Segment, Select, Correct: A Framework for Weakly-Supervised Referring
Segmentation](https://arxiv.org/abs/2310.13479); `ssc.load("mini")` loads the whole model set.

| | |
|---|---|
| command | `{command}` |
| seed | {seed} |
| steps | {steps} |
| training time | {minutes:.0f} min |
| machine | {machine} |
| parameters | {parameters:.2f} M, stored in half precision |
{figures}

The same command measures these figures on RefSprites' `val` split, with the stored weights. Figures
on the test splits are in `docs/results.md`.
"""
PLACES = ("--out", "--runs")  # options that say where files go: not part of a card's command


def head(task: str, *tags: str) -> str:
    """The YAML head of a card, as the Hub reads it.

    Args:
        task: the Hub's name of the task.
        tags: more tags, beside those of all bundled models.
    """
    from huggingface_hub import ModelCardData

    return ModelCardData(
        language="en",
        license="apache-2.0",
        library_name="segment-select-correct",
        pipeline_tag=task,
        tags=["referring-expression-segmentation", "weakly-supervised", *tags],
    ).to_yaml()


def write_model(
    folder: Path,
    model: nn.Module,
    config: dict[str, Any],
) -> None:
    """`model.safetensors` (float16) and `config.json`, each written atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        name: (value.half() if value.is_floating_point() else value).contiguous().clone()
        for name, value in model.state_dict().items()
    }
    write_whole(folder / "model.safetensors", save(weights, metadata={"format": "pt"}))
    write_whole(folder / "config.json", (json.dumps(config, indent=2) + "\n").encode())


def write_card(
    folder: Path,
    title: str,
    about: str,
    yaml: str,
    model: nn.Module,
    figures: dict[str, float],
    *,
    seed: int,
    steps: int,
    seconds: float,
) -> None:
    """Writes `README.md`: what the model is, the command that trains it, and its figures.

    Args:
        about: a paragraph on what the model is, and what it learns from.
        yaml: the card's head, by `head`.
        figures: name → value.
        seconds: time of the training.
    """
    command = shlex.join(["python", "-m", "train.mini", *_without_places(sys.argv[1:])])
    rows = "\n".join(f"| {name} | {value:.3f} |" for name, value in figures.items())
    text = CARD.format(
        head=yaml,
        title=title,
        about=about,
        command=command,
        seed=seed,
        steps=steps,
        minutes=seconds / 60,
        machine=f"{os.cpu_count()} × {_processor()}, torch {torch.__version__}, no GPU"
        if not torch.cuda.is_available()
        else f"{torch.cuda.get_device_name()}, torch {torch.__version__}",
        parameters=sum(p.numel() for p in model.parameters()) / 1e6,
        figures=rows,
    )
    (folder / "README.md").write_text(text)


def _without_places(argv: list[str]) -> list[str]:
    values = {k + 1 for k, word in enumerate(argv) if word in PLACES}
    return [w for k, w in enumerate(argv) if w not in PLACES and k not in values]


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
