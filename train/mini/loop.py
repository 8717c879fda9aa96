"""The training loop of the mini models: AdamW, one cosine cycle, averaged weights, resume."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterable
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from ssc.devices import computes_in_bfloat16

M = TypeVar("M", bound=nn.Module)

WARMUP = 200
SAVE_EVERY = 250


def in_half(device: torch.device) -> torch.autocast:
    """bfloat16 where the device computes in it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=computes_in_bfloat16(device))


def train(
    model: M,
    loss_of: Callable[[M, Any], dict[str, Tensor]],
    batches: Callable[[int], Iterable[Any]],
    steps: int,
    folder: Path,
    *,
    lr: float,
    weight_decay: float,
    decay: float = 0.999,
) -> tuple[M, float]:
    """Trains for `steps` updates; continues a killed run from its state in `folder`.

    Args:
        model: on its device.
        loss_of: model and batch → named losses, which are added up.
        batches: first step → the batches from that step on.
        folder: for `state.pt` (written atomically every `SAVE_EVERY` steps) and `log.jsonl`.
        lr, weight_decay: AdamW's; the rate warms up, then falls to zero along a cosine.
        decay: of the moving average of the weights.

    Returns:
        The averaged model in evaluation mode, and the seconds of all starts together.

    Raises:
        RuntimeError: a loss that is not finite, with its step.
    """
    folder.mkdir(parents=True, exist_ok=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1, (step + 1) / WARMUP) * 0.5 * (1 + math.cos(math.pi * step / steps)),
    )
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    state_file = folder / "state.pt"
    first, spent = 0, 0.0
    parts: dict[str, Any] = {"model": model, "average": average}
    parts |= {"optimizer": optimizer, "schedule": schedule}
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        first, spent = state["step"], state["seconds"]
        torch.set_rng_state(state["rng"])
    start = time.perf_counter() - spent
    bar = tqdm(batches(first), total=steps, initial=first, unit="step", mininterval=5)
    model.train()
    with (folder / "log.jsonl").open("a") as log:
        for step, batch in enumerate(bar, first):
            losses = loss_of(model, batch)
            total = reduce(torch.add, losses.values())
            if not torch.isfinite(total):
                raise RuntimeError(f"step {step}: the loss is {total.item()}: {losses}")
            optimizer.zero_grad(set_to_none=True)
            total.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            if step >= 2 * WARMUP:
                average.update_parameters(model)
            if step % 20 == 0:
                numbers = {name: round(loss.item(), 4) for name, loss in losses.items()}
                bar.set_postfix(numbers, refresh=False)
                row = {"step": step, "seconds": round(time.perf_counter() - start), **numbers}
                log.write(json.dumps(row) + "\n")
                log.flush()
            if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps:
                state = {name: part.state_dict() for name, part in parts.items()}
                state |= {"step": step + 1, "seconds": time.perf_counter() - start}
                state |= {"rng": torch.get_rng_state()}
                torch.save(state, state_file.with_suffix(".tmp"))
                os.replace(state_file.with_suffix(".tmp"), state_file)
            if step + 1 == steps:
                break
    return cast("M", average.module.eval()), time.perf_counter() - start
