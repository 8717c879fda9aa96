"""The training loop of stage 3 (paper §3.3), and of the systems of `train.weak`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from tqdm import tqdm

from ssc.correct.matching import UNMATCHED, matched_loss
from ssc.correct.predict import Corrector, ReferringModel
from ssc.writing import check_space
from train.fit.assign import assign
from train.fit.batches import Batch, Sampler, ahead, inputs
from train.fit.batchnorm import synchronise
from train.fit.checkpoint import Log, State, digest_of
from train.fit.examples import Examples
from train.fit.options import Options
from train.fit.parts import most_of, pass_in_parts
from train.fit.watch import Watch, validate
from train.weak.names import SYSTEMS

if TYPE_CHECKING:
    from accelerate import Accelerator

POWER = 0.9  # of the polynomial decay, LAVT's


def fit(
    options: Options,
    examples: Examples,
    model: ReferringModel,
    tokenizer: Any,
    config: dict[str, Any],
    accelerator: Accelerator,
    val: Examples | None = None,
    *,
    saved: Callable[[], None] | None = None,
) -> ReferringModel:
    """Trains `model`; picks up where a killed run in `options.out` stopped.

    The folder gets the checkpoint that `Corrector.load` reads, `options.json`, `state.pt` (to
    resume from) and `log.jsonl`, all of them atomically but the last, which only grows.

    Args:
        val: examples with true masks, to measure on every `eval_every` updates.
        saved: called after each save, by the main process.

    Raises:
        InputError: the folder holds the state of a run with other options.
        WriteError: the disk is full, or too small from the start.
        RuntimeError: a loss that is not finite, with the names of the batch's pictures.
    """
    training = Training(options, examples, model, tokenizer, config, accelerator, val)
    for update in training.bar:
        training.step(update)
        training.log(update)
        training.measure(update)
        if training.save(update) and saved and accelerator.is_main_process:
            saved()
    training.close()
    return training.bare.eval()


class Pass(NamedTuple):
    """What a batch leaves for the log; its values stay on the device until then."""

    update: int
    names: tuple[str, ...]
    loss: Tensor
    assignment: list[Tensor]
    chosen: list[Tensor]


class Training:
    """The parts of a training, and the four phases of an update; arguments as `fit`."""

    def __init__(
        self,
        options: Options,
        examples: Examples,
        model: ReferringModel,
        tokenizer: Any,
        config: dict[str, Any],
        accelerator: Accelerator,
        val: Examples | None,
    ) -> None:
        self.options, self.accelerator, self.val = options, accelerator, val
        self.tokenizer, self.config = tokenizer, config
        self.updates = options.updates(len(examples))
        self.parts = accelerator.num_processes * options.accumulate
        self.most = most_of(config)
        torch.manual_seed(options.seed + accelerator.process_index)

        # Network, optimizer and learning rate, as LAVT's recipe has them.
        self.bare = model.to(accelerator.device)
        if accelerator.num_processes > 1:
            synchronise(self.bare)
        optimizer = torch.optim.AdamW(
            _groups(self.bare, options.weight_decay), options.lr, fused=True
        )
        self.schedule = LambdaLR(optimizer, lambda update: _rate(update, options, self.updates))
        self.model, self.optimizer = accelerator.prepare(self.bare, optimizer)

        # The state of a killed run, where the folder has one.
        run = options.learning() | {"updates": self.updates, "parts": self.parts}
        run |= {"pictures": len(examples), "size": list(config["size"])}
        run |= {"data and masks": examples.key, "first weights": digest_of(self.bare)}
        key = val.key if val else ""
        self.state = State(options.out, run, self.bare, optimizer, self.schedule, accelerator, key)
        first = self.state.resume()
        if not first and accelerator.is_main_process:  # the checkpoint and two states, old and new
            check_space(options.out, 2 * self.state.size + self.state.size // 3)

        # Log, progress bar and watched pictures, of the main process.
        main = accelerator.is_main_process
        if main:
            options.save()
        self.log_every = max(1, min(20, self.updates // 20))
        self.passes: list[Pass] = []
        self.lines = Log(options.out, first, enabled=main, measured=not self.state.other_val)
        self.watch = None
        if options.watch and main:
            self.watch = Watch(examples, options.watch, tokenizer, config, options)
            if first == 0:
                self.watch.draw(0, self.bare)
        self.bar = tqdm(
            range(first, self.updates),
            initial=first,
            total=self.updates,
            desc=options.method,
            unit="update",
            mininterval=2,
            disable=not main,
        )

        # Batches, each made while the update before it runs.
        sampler = Sampler(
            examples,
            batch=options.batch,
            parts=self.parts,
            processes=accelerator.num_processes,
            expressions=options.expressions,
            flip=options.flip,
            seed=options.seed,
        )
        words = copy.deepcopy(tokenizer)  # of the thread's own: one is not for two threads

        def make(number: int) -> tuple[tuple[Tensor, ...], Batch]:
            update, k = divmod(number, options.accumulate)
            part = k * accelerator.num_processes + accelerator.process_index
            batch = sampler.batch(update, part)
            return inputs(batch, words, config, accelerator.device), batch.to(accelerator.device)

        numbers = range(first * options.accumulate, self.updates * options.accumulate)
        self.batches = ahead(make, numbers)
        self.model.train()

    def step(self, update: int) -> None:
        """One update of the weights."""
        options = self.options
        for _ in range(options.accumulate):
            arguments, batch = next(self.batches)
            with self.accelerator.accumulate(self.model):
                loss, assignment = self._pass(arguments, batch)

                # Optimize: on the last batch of the update; accelerate skips the others.
                if options.clip and self.accelerator.sync_gradients:
                    self.accelerator.clip_grad_norm_(self.model.parameters(), options.clip)
                self.optimizer.step()
                self.optimizer.zero_grad(set_to_none=True)
            self.passes.append(Pass(update, batch.names, loss.detach(), assignment, batch.chosen))
        self.rate = float(self.schedule.get_last_lr()[0])
        self.schedule.step()

    def _pass(self, arguments: tuple[Tensor, ...], batch: Batch) -> tuple[Tensor, list[Tensor]]:
        """Forward and backward of a batch: its loss, and the mask that each object learns from."""
        options = self.options
        if options.method in SYSTEMS:  # its loss is of all sentences of the batch together
            loss = self.model(*arguments)
            self.accelerator.backward(loss * batch.share * self.parts)
            return loss, batch.chosen

        # Match: the mask that each object learns from (Algorithm 1).
        def matched(logits: Tensor) -> list[Tensor]:
            return assign(options.method, options.match, options.prior, batch, logits)

        # Processes and accumulation steps are averaged; the factor makes that the mean over all
        # expressions of the update, whichever batch they are in.
        def backward(loss: Tensor) -> None:
            self.accelerator.backward(loss * batch.share * self.parts)

        if batch.largest > self.most:
            chosen_by = matched if options.method == "correct" else None
            alone = self._without_others
            return pass_in_parts(
                self.model, arguments, batch, chosen_by, backward, self.most, alone
            )

        # Forward: logits of each expression. Loss: equation 4.
        logits = self.model(*arguments)
        assignment = matched(logits)
        loss = matched_loss(logits, batch.masks, batch.object_of, assignment)
        backward(loss)
        return loss, assignment

    def _without_others(self) -> AbstractContextManager:
        """In it the processes' gradients are not added yet."""
        return self.accelerator.no_sync(self.model)

    def log(self, update: int) -> None:
        """Writes loss, matches and learning rate of this process's update, now and then."""
        if not self._due(update, self.log_every):
            return
        passes = [own for own in self.passes if own.update == update]
        self._check()
        numbers = {"loss": sum(own.loss.item() for own in passes)} | _matches(passes)
        self.lines.write(update, numbers | {"lr": self.rate})
        self.bar.set_postfix(loss=f"{numbers['loss']:.4f}", refresh=False)

    def measure(self, update: int) -> None:
        """Draws the watched pictures and measures mIoU on `val`, now and then."""
        if not self._due(update, self.options.eval_every):
            return
        self._check()
        if self.watch is not None:
            self.watch.draw(update + 1, self.bare)
        if self.val is not None:
            main = self.accelerator.is_main_process
            miou = validate(self.bare, self.tokenizer, self.config, self.val) if main else 0.0
            self.state.best = max(self.state.best, miou)
            self.lines.write(update, {"val mIoU": miou})

    def save(self, update: int) -> bool:
        """Writes checkpoint and state, now and then; returns whether it does."""
        if not self._due(update, self.options.save_every):
            return False
        self._check()
        if self.accelerator.is_main_process:  # first: with the last state the run is over
            Corrector.save(self.options.out, self.bare, self.tokenizer, self.config)
        self.state.save(update + 1)
        return True

    def close(self) -> None:
        """Ends the log and the thread of the batches."""
        self.lines.close()
        self.batches.close()

    def _due(self, update: int, every: int) -> bool:
        return (update + 1) % every == 0 or update + 1 == self.updates

    def _check(self) -> None:
        """Stops at the first loss that is not finite of those since the last check."""
        passes, self.passes = self.passes, []
        finite = torch.stack([own.loss for own in passes]).isfinite().tolist() if passes else []
        for own, good in zip(passes, finite):
            if not good:
                raise RuntimeError(
                    f"update {own.update}: the loss is {own.loss.item()} on {', '.join(own.names)}"
                )


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


def _rate(update: int, options: Options, updates: int) -> float:
    """The learning rate of an update, as a part of its peak."""
    rise = min(1.0, (update + 1) / max(options.warmup, 1))
    return rise * (1 - min(update / updates, 1)) ** POWER


def _matches(passes: list[Pass]) -> dict[str, int]:
    """How many objects there were, had a mask to learn from, and had that of S2."""
    assignment = torch.cat([part for own in passes for part in own.assignment]).cpu()
    chosen = torch.cat([part for own in passes for part in own.chosen]).cpu()
    matched = assignment != UNMATCHED
    return {
        "objects": len(matched),
        "matched": int(matched.sum()),
        "as chosen": int((matched & (assignment == chosen)).sum()),
    }
