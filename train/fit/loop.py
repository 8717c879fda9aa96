"""The training loop of stage 3 (paper §3.3)."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from tqdm import tqdm

from ssc.correct.matching import UNMATCHED, matched_loss
from ssc.correct.predict import Corrector, ReferringModel
from train.fit.assign import assign
from train.fit.batches import Batch, Plan, inputs
from train.fit.batchnorm import synchronise
from train.fit.checkpoint import Log, State
from train.fit.examples import Examples
from train.fit.options import Settings
from train.fit.watch import Watch, validate

if TYPE_CHECKING:
    from accelerate import Accelerator

POWER = 0.9  # of the polynomial decay, LAVT's
# Seconds that the other processes of a machine leave to the first one to say what all of them met;
# torchrun ends them with it.
PATIENCE = 30


def fit(
    settings: Settings,
    plan: Plan,
    examples: Examples,
    model: ReferringModel,
    tokenizer: Any,
    config: dict[str, Any],
    out: Path,
    accelerator: Accelerator,
    val: Examples | None = None,
    watched: int = 0,
) -> ReferringModel:
    """Trains `model`; picks up where a killed run in `out` stopped.

    `out` gets the checkpoint that `Corrector.load` reads, `state.pt` (to resume from) and
    `log.jsonl`, all of them atomically but the last, which only grows.

    Args:
        val: examples with true masks, to measure on every `eval_every` updates.
        watched: pictures of its own to look at as often, see `train.fit.watch`.

    Raises:
        InputError: `out` holds the state of a run with other settings.
        RuntimeError: a loss that is not finite, with the names of the batch's pictures.
    """
    rank, world = accelerator.process_index, accelerator.num_processes
    torch.manual_seed(plan.seed + rank)
    bare = model.to(accelerator.device)
    if world > 1:
        synchronise(bare)
    bare_optimizer = torch.optim.AdamW(
        _groups(bare, settings.weight_decay), settings.lr, fused=True
    )
    schedule = LambdaLR(bare_optimizer, lambda update: _rate(update, settings))
    model, optimizer = accelerator.prepare(bare, bare_optimizer)
    about = {"pictures": len(examples), "size": list(config["size"])}
    run = {**asdict(settings), **asdict(plan), **about}
    state = State(out, run, bare, bare_optimizer, schedule, accelerator)
    first = state.resume()
    log = Log(out, first, enabled=accelerator.is_main_process)
    watch = None
    if watched and accelerator.is_main_process:
        watch = Watch(examples, watched, tokenizer, config, settings, out)
        if first == 0:
            watch.look(0, bare)
    bar = tqdm(
        range(first, settings.updates),
        initial=first,
        total=settings.updates,
        desc=settings.method,
        unit="update",
        mininterval=2,
        disable=not accelerator.is_main_process,
    )
    model.train()
    log_every = max(1, min(20, settings.updates // 20))
    for update in bar:
        numbers: dict[str, float] = {}
        for k in range(settings.accumulate):
            batch = plan.part(examples, update, k * world + rank)
            with accelerator.accumulate(model):
                logits = model(*inputs(batch, tokenizer, config, accelerator.device))
                masks, object_of = (
                    x.to(accelerator.device, non_blocking=True)
                    for x in (batch.masks, batch.object_of)
                )
                assignment = assign(settings.method, settings.match, settings.prior, batch, logits)
                loss = matched_loss(logits, masks, object_of, assignment)
                if not torch.isfinite(loss):
                    raise RuntimeError(
                        f"update {update}: the loss is {loss.item()} on {', '.join(batch.names)}"
                    )
                # Processes and accumulation steps are averaged; the mean over all expressions of
                # the update is wanted, whichever batch they are in.
                accelerator.backward(loss * batch.share * plan.parts)
                if settings.clip and accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(model.parameters(), settings.clip)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            _count(numbers, loss, assignment, batch)
        numbers["lr"] = schedule.get_last_lr()[0]
        schedule.step()
        done = update + 1
        if done % log_every == 0 or done == settings.updates:
            log.write(update, numbers)
            bar.set_postfix(loss=f"{numbers['loss']:.4f}", refresh=False)
        measured = done % settings.eval_every == 0 or done == settings.updates
        if watch is not None and measured:
            watch.look(done, bare)
        if val is not None and measured:
            miou = validate(bare, tokenizer, config, val) if accelerator.is_main_process else 0.0
            state.best = max(state.best, miou)
            log.write(update, {"val mIoU": miou})
        if done % settings.save_every == 0 or done == settings.updates:
            if accelerator.is_main_process:  # first: with the last state the run is over
                Corrector.save(out, bare, tokenizer, config)
            state.save(done)
    log.close()
    return bare.eval()


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """AdamW's groups, as LAVT's recipe has them: no decay of norms, biases and position tables."""
    parts: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for name, p in model.named_parameters():
        if p.requires_grad:
            parts[p.ndim > 1 and not name.endswith("relative_position_bias_table")].append(p)
    return [
        {"params": parts[True], "weight_decay": weight_decay},
        {"params": parts[False], "weight_decay": 0.0},
    ]


def _rate(update: int, settings: Settings) -> float:
    rising = min(1.0, (update + 1) / max(settings.warmup, 1))
    return rising * (1 - min(update / settings.updates, 1)) ** POWER


def _count(numbers: dict[str, float], loss: Tensor, assignment: Tensor, batch: Batch) -> None:
    """Adds one batch to the numbers of the log, which are those of this process."""
    numbers["loss"] = numbers.get("loss", 0.0) + loss.item()
    matched, chosen = (assignment != UNMATCHED).cpu(), batch.chosen
    numbers["objects"] = numbers.get("objects", 0) + len(matched)
    numbers["matched"] = numbers.get("matched", 0) + int(matched.sum())
    same = (assignment.cpu() == chosen) & matched
    numbers["as chosen"] = numbers.get("as chosen", 0) + int(same.sum())
