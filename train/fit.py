"""Trains the correct stage from sentences alone (paper §3.3), and its supervised upper bound.

python -m train.fit bootstrap  --data refsprites:train:4000 --store runs/pseudo --out runs/boot
python -m train.fit correct    --data refsprites:train:4000 --store runs/pseudo --out runs/correct \
                               --init runs/boot
python -m train.fit bootstrap  … --init runs/boot --out runs/plus       # the paper's "+40 epochs"
python -m train.fit supervised --data refsprites:train:4000 --out runs/supervised
torchrun --nproc_per_node 4 -m train.fit bootstrap …                    # several GPUs or processes

A killed run goes on where it stopped when the same command is given again.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from tqdm import tqdm

from ssc.correct.matching import UNMATCHED, matched_loss
from ssc.correct.predict import CONFIGS, Corrector, ReferringModel
from ssc.devices import computes_in_bfloat16
from ssc.types import InputError
from train.assign import MATCHES, assign
from train.batches import Batch, Plan, inputs
from train.batchnorm import synchronise
from train.checkpoint import Log, State
from train.data import SOURCES
from train.examples import Examples
from train.start import in_turn, new_model, open_checkpoint, open_examples
from train.watch import Watch, validate

if TYPE_CHECKING:
    from accelerate import Accelerator

METHODS = ("bootstrap", "correct", "supervised")
POWER = 0.9  # of the polynomial decay, LAVT's
# Seconds that the other processes of a machine leave to the first one to say what all of them met;
# torchrun ends them with it.
PATIENCE = 30
DEFAULTS: dict[str, dict[str, Any]] = {
    # The paper: batches of 60, 40 epochs. Its text says a rate of 5e-4; the LAVT recipe that it
    # follows has 5e-5, and so has this: say --lr 5e-4 for the other.
    "swin_b": {"lr": 5e-5, "batch": 60, "epochs": 40, "warmup": 0, "clip": 0.0},
    # From scratch and small: a rate as for any small transformer, and a short warm-up.
    "mini": {"lr": 1e-3, "batch": 8, "epochs": 8, "warmup": 100, "clip": 5.0},
}


@dataclass(frozen=True)
class Settings:
    """What decides the weights that come out, beside data and initial weights.

    Attributes:
        method: one of `METHODS`.
        updates: of the weights, in all; the horizon of the learning rate.
        lr: at its peak; falls to 0 as (1 - update / updates) ** 0.9.
        weight_decay: of matrices; biases, norms and relative position tables have none.
        warmup: updates over which the rate first rises.
        clip: largest norm of the gradient; 0 for any.
        match: key of `MATCHES`, for `correct`.
        prior: added to the score of each object and its S2 mask, for `correct`; the paper's is 0.
        precision: "no", "bf16" or "fp16".
        accumulate: batches per process that make one update.
        save_every, eval_every: in updates.
    """

    method: str
    updates: int
    lr: float
    weight_decay: float
    warmup: int
    clip: float
    match: str
    prior: float
    precision: str
    accumulate: int
    save_every: int
    eval_every: int


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
        watched: pictures of its own to look at as often, see `train.watch`.

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
                assignment = assign(settings, batch, logits)
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


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.fit", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("method", choices=METHODS)
    add("--data", required=True, help=SOURCES)
    add("--store", type=Path, help="S1 and S2 of the same data, by train.pseudo")
    add("--out", type=Path, required=True)
    add("--init", type=Path, help="checkpoint to start from, of --model")
    add("--model", choices=tuple(CONFIGS), default="mini", help="to build, and its defaults")
    add("--visual", type=Path, help="weights of LAVT's visual side, safetensors; without --init")
    add("--epochs", type=float, help="mini 8, swin_b 40")
    add("--size", type=int, nargs=2, metavar=("H", "W"), help="to look at pictures; else --init's")
    add("--steps", type=int, help="updates, instead of --epochs")
    add("--batch", type=int, help="pictures of an update, all processes'; mini 8, swin_b 60")
    add("--accumulate", type=int, default=1, help="batches that make one update")
    add("--lr", type=float, help="mini 1e-3, swin_b 5e-5 (LAVT's recipe; the paper says 5e-4)")
    add("--weight-decay", type=float, default=1e-2)
    add("--warmup", type=int, help="updates; mini 100, swin_b 0")
    add("--clip", type=float, help="largest norm of the gradient; mini 5, swin_b 0 (any)")
    add("--expressions", type=int, help="drawn per object; bootstrap 1, else 0 (all)")
    add("--match", choices=tuple(MATCHES), default="greedy")
    add("--prior", type=float, default=0.0, help="weight of S2 in matching; the paper's is 0")
    add("--no-flip", action="store_true", help="no mirrored pictures (and words)")
    add("--precision", choices=("no", "bf16", "fp16"), help="bf16 where the device computes in it")
    add("--seed", type=int, default=0)
    add("--val", help="data with true masks to measure mIoU on now and then")
    add("--eval-every", type=int, default=500)
    add("--watch", type=int, default=0, help="of its pictures, to draw over time; train.run 32")
    add("--save-every", type=int, default=250)
    add("--cache", type=Path, default=Path("runs/cache"))
    add("--workers", type=int, default=2, help="processes that fill the cache")
    add("--cpu", action="store_true", help="even where there is a GPU")
    args = parser.parse_args(argv)
    if (args.store is None) != (args.method == "supervised"):
        parser.error("bootstrap and correct need --store, supervised must not have it")
    if args.method == "correct" and args.init is None:
        parser.error("correct starts from a bootstrapped checkpoint: give --init")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    from accelerate import Accelerator

    args = parse(argv)
    # Said where there is nothing else, for unsaid several processes would not find each other.
    cpu = args.cpu or not torch.accelerator.is_available()
    args.precision = args.precision or default_precision(cpu)
    accelerator = Accelerator(
        cpu=cpu,
        mixed_precision=args.precision,
        gradient_accumulation_steps=args.accumulate,
    )
    try:
        run(args, accelerator)
    except InputError as error:
        if not accelerator.is_local_main_process:
            time.sleep(PATIENCE)
        sys.exit(f"error: {error}")


def default_precision(cpu: bool) -> str:
    """Of `--precision`: "bf16" where the processor, or else the accelerator, computes in it."""
    device = torch.device("cpu") if cpu else torch.accelerator.current_accelerator()
    return "bf16" if device is not None and computes_in_bfloat16(device) else "no"


def run(args: argparse.Namespace, accelerator: Accelerator) -> None:
    """Opens what the options name, and trains."""
    known = open_checkpoint(args.init) if args.init else None
    size = args.size or (known[2] if known else CONFIGS[args.model])["size"]
    wanted = [(args.data, args.store)] + ([(args.val, None)] if args.val else [])
    examples, *val = in_turn(
        accelerator,
        lambda: [open_examples(*source, size, args.cache, args.workers) for source in wanted],
    )
    model, tokenizer, config = known or new_model(args.model, examples, args.visual, args.seed)
    config["size"] = list(size)
    default = DEFAULTS[args.model]
    chosen = {k: v if getattr(args, k) is None else getattr(args, k) for k, v in default.items()}
    updates = args.steps or math.ceil(chosen["epochs"] * len(examples) / chosen["batch"])
    settings = Settings(
        args.method,
        updates,
        chosen["lr"],
        args.weight_decay,
        chosen["warmup"],
        chosen["clip"],
        args.match,
        args.prior,
        args.precision,
        args.accumulate,
        args.save_every,
        args.eval_every,
    )
    drawn = (
        (1 if args.method == "bootstrap" else 0) if args.expressions is None else args.expressions
    )
    plan = Plan(
        chosen["batch"],
        accelerator.num_processes * args.accumulate,
        drawn,
        not args.no_flip,
        args.seed,
    )
    fit(
        settings,
        plan,
        examples,
        model,
        tokenizer,
        config,
        args.out,
        accelerator,
        *(val or [None]),
        watched=args.watch,
    )


if __name__ == "__main__":
    main()
