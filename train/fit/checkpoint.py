"""What a training run leaves on disk beside the checkpoint: its state to go on from, its log."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from ssc.errors import InputError
from ssc.writing import explained, make_folder, write_whole, written

if TYPE_CHECKING:
    from accelerate import Accelerator


STATE = "state.pt"


class State:
    """All that a run needs to go on as if it had not been killed.

    Args:
        run: what decides the weights that come out; a state of another run is refused.
        val: the key of the pictures that mIoU is measured on; "" for none.

    Attributes:
        other_val: whether the state that was there is of other such pictures.
    """

    def __init__(
        self,
        out: Path,
        run: dict[str, Any],
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        schedule: LambdaLR,
        accelerator: Accelerator,
        val: str = "",
    ) -> None:
        make_folder(out)
        self.file = out / STATE
        self.run = run
        self.parts: dict[str, Any] = {"model": model, "optimizer": optimizer, "schedule": schedule}
        self.accelerator = accelerator
        self.best = 0.0
        self.val, self.other_val = val, False
        # Weights and Adam's two moments.
        self.size = 3 * sum(p.nbytes for p in model.parameters())
        self.start, self.spent = time.perf_counter(), 0.0

    def resume(self) -> int:
        """The update to go on with: 0 where there is no state yet."""
        if not self.file.exists():
            return 0
        state = torch.load(self.file, map_location="cpu", weights_only=True)
        other = {k: (v, self.run.get(k)) for k, v in state["run"].items() if v != self.run.get(k)}
        if other:
            was = ", ".join(f"{k} {old} (now {new})" for k, (old, new) in other.items())
            raise InputError(
                f"{self.file}: expected the state of this very run, got one with {was}; "
                "give the first command again, or another --out"
            )
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        torch.set_rng_state(state["rng"][self.accelerator.process_index])
        if torch.cuda.is_available():
            torch.cuda.set_rng_state(state["cuda_rng"][self.accelerator.process_index])
        if scaler := self.accelerator.scaler:
            scaler.load_state_dict(state["scaler"])
        self.best, self.spent = state["best"], state["seconds"]
        if self.val and state.get("val", self.val) != self.val:
            self.best, self.other_val = 0.0, True
        return state["update"]

    def save(self, update: int) -> None:
        from accelerate.utils import gather_object

        cuda = [torch.cuda.get_rng_state()] if torch.cuda.is_available() else []
        state = {name: part.state_dict() for name, part in self.parts.items()} | {
            "run": self.run,
            "update": update,
            "best": self.best,
            "val": self.val,
            "seconds": self.seconds,
            "rng": gather_object([torch.get_rng_state()]),
            "cuda_rng": gather_object(cuda),
            "scaler": self.accelerator.scaler.state_dict() if self.accelerator.scaler else {},
            "revision": revision(),
        }
        if self.accelerator.is_main_process:
            with written(self.file, self.size) as beside:
                torch.save(state, beside)

    @property
    def seconds(self) -> float:
        """Time spent training, that before restarts included."""
        return self.spent + time.perf_counter() - self.start


class Log:
    """`log.jsonl`, and TensorBoard where it is installed.

    Args:
        first: update to go on with.
        enabled: writes at all.
        measured: keeps the figures on validation pictures that are there.
    """

    def __init__(self, out: Path, first: int, enabled: bool, measured: bool = True) -> None:
        self.enabled = enabled
        if not enabled:
            return
        self.path = out / "log.jsonl"
        lines = self.path.read_text().splitlines(keepends=True) if self.path.exists() else []
        # What a killed run logged after its last state comes again.
        earlier = [x for x in lines if x.endswith("\n") and json.loads(x)["update"] < first]
        if not measured:
            print("--val changed: its figures in the log are dropped", flush=True)
            earlier = [x for x in earlier if "val mIoU" not in x]
        write_whole(self.path, "".join(earlier).encode())
        self.board: Any = None
        with suppress(ImportError):
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(out), purge_step=first)

    def write(self, update: int, numbers: dict[str, float]) -> None:
        if not self.enabled:
            return
        with explained(self.path), self.path.open("a") as file:
            file.write(json.dumps({"update": update, **numbers}) + "\n")
        for name, value in numbers.items() if self.board else ():
            self.board.add_scalar(name, value, update)

    def close(self) -> None:
        if self.enabled and self.board:
            self.board.close()


def digest_of(model: nn.Module) -> str:
    """A text that tells these weights from any others."""
    whole = blake2b(digest_size=16)
    for tensor in model.state_dict().values():
        whole.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return whole.hexdigest()


def revision() -> str:
    """The git commit of this code, "unknown" outside of a checkout."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
