"""Writes a trained mini model's folder: half-precision weights, configuration and card."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

CARD = """# {title}

{about}

| | |
|---|---|
| command | `{command}` |
| seed | {seed} |
| steps | {steps} |
| wall time | {minutes:.0f} min |
| machine | {machine} |
| parameters | {parameters:.2f} M, stored in half precision |
{figures}

Figures are measured by the same command on RefSprites' `val` split, with the stored half-precision
weights; the test splits' are in the README, by `python -m train.evaluate`.
"""


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
    save_file(weights, folder / "model.tmp", metadata={"format": "pt"})
    os.replace(folder / "model.tmp", folder / "model.safetensors")
    (folder / "config.tmp").write_text(json.dumps(config, indent=2) + "\n")
    os.replace(folder / "config.tmp", folder / "config.json")


def write_card(
    folder: Path,
    title: str,
    about: str,
    model: nn.Module,
    figures: dict[str, float],
    *,
    seed: int,
    steps: int,
    seconds: float,
) -> None:
    """`README.md`: how the model was made and what it measures."""
    command = shlex.join(["python", "-m", "train.mini", *sys.argv[1:]])
    rows = "\n".join(f"| {name} | {value:.3f} |" for name, value in figures.items())
    text = CARD.format(
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


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
