"""`python -m ssc bench`: how long each stage takes, against the straightforward way to do it.

python -m ssc bench                                    # the mini set with its own weights
python -m ssc bench --models lite base paper --out bench   # their networks, randomly initialised
python -m ssc bench --models paper --expressions 1     # S+S and S+S+C of one: a GPU's table
python -m ssc bench --targets                          # the two ratios that have a target
python -m ssc bench --models base paper --tiny --repeats 1   # tiny networks: does it run
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssc.errors import OptionError
from ssc.writing import make_folder

if TYPE_CHECKING:
    import torch

    from ssc.bench.measure import Settings

MOST = 16  # expressions about a picture: as many words are there to make them of


def main(argv: Sequence[str]) -> int:
    """Prints the tables as Markdown; returns the exit code.

    Raises:
        OptionError: an option that is none, or no such device here.
    """
    args = _parse(argv)
    from ssc.bench.measure import Settings, machine, matmul_peak
    from ssc.bench.report import as_markdown, write_report
    from ssc.devices import best_dtype

    device = _device(args.device)
    dtype = best_dtype(device)
    settings = Settings(args.boxes, args.expressions, args.repeats, args.warmup)
    record: dict[str, Any] = {
        "machine": machine(device, dtype),
        "peak": matmul_peak(device, dtype),
        "sets": {},
    }
    for name, figures in _measured(args, settings, device, dtype, record["peak"]["tflops"]):
        record["sets"][name] = figures
        print(as_markdown({**record, "sets": {name: figures}}), flush=True)
    if device.type != "cuda":
        print("Missing: figures of a GPU. The same command fills them in on a machine with one.")
    if args.out:
        for path in write_report(args.out, record):
            print(path, file=sys.stderr)
    return 0


def _measured(
    args: argparse.Namespace,
    settings: Settings,
    device: torch.device,
    dtype: torch.dtype,
    peak: float,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and figures of what the options ask for, one after the other."""
    from ssc.bench import networks
    from ssc.bench.measure import measure
    from ssc.pipeline import Pipeline

    random = "tiny, random weights: times only, no results" if args.tiny else networks.RANDOM
    if args.targets:
        stage_1: Any = None  # not run
        alone = Pipeline(stage_1, networks.select_without_encoder(device))
        figures = measure(alone, settings._replace(boxes=8, expressions=1), peak, ("select",))
        yield "stage 2 without CLIP's encoder, target 8×", {"weights": "no network", **figures}
        stage_2: Any = None
        alone = Pipeline(stage_1, stage_2, networks.random_correct(device, args.tiny))
        figures = measure(alone, settings._replace(expressions=4), peak, ("correct",))
        yield "Swin-B LAVT at 480 px, target 1.5×", {"weights": random, **figures}
    for name in args.models or ():
        if name == "mini":
            from ssc.models.sets import load

            weights = "trained" if device.type == "cpu" else "trained; stages 1 and 2 on the CPU"
            yield name, {"weights": weights, **measure(load(name), settings, peak)}
        else:
            pipeline = networks.random_pipeline(name, device, dtype, args.tiny)
            yield name, {"weights": random, **measure(pipeline, settings, peak)}


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m ssc bench",
        description="Times each stage and the whole, and a straightforward reference in the same "
        "run: one image, one candidate, one expression at a time, a blur per candidate, nothing "
        "kept, float32. Medians. All sets but mini are randomly initialised networks of their "
        "true configuration: times only, no results.",
    )
    add = parser.add_argument
    add("--models", nargs="+", choices=("mini", "lite", "base", "paper"), help="default: mini")
    targets = "stage 2 without CLIP's encoder for 8 candidates, and Swin-B LAVT with 4 expressions"
    add("--targets", action="store_true", help=targets)
    add("--tiny", action="store_true", help="tiny networks in place of the published ones")
    add("--boxes", metavar="N", type=int, default=5, help="candidates of a picture; default: 5")
    add("--expressions", metavar="N", type=int, default=4, help="about a picture; default: 4")
    add("--repeats", metavar="N", type=int, default=5, help="default: 5")
    add("--warmup", metavar="N", type=int, default=1, help="passes before these; default: 1")
    add("--device", metavar="DEVICE", default="auto", help="cpu, cuda or mps; default: the best")
    add("--out", metavar="DIR", type=Path, help="for bench.json, bench.md and bench.png")
    args = parser.parse_args(argv)
    limits = {"boxes": (1, 64), "expressions": (1, MOST), "repeats": (1, 1000), "warmup": (0, 1000)}
    for name, (least, most) in limits.items():
        if not least <= getattr(args, name) <= most:
            raise OptionError(f"--{name}: expected {least} to {most}, got {getattr(args, name)}")
    if not args.models and not args.targets:
        args.models = ["mini"]
    if args.out:
        make_folder(args.out)
    return args


def _device(name: str) -> torch.device:
    import torch

    from ssc.devices import best_device

    if name == "auto":
        return best_device()
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise OptionError(
            f"--device: expected a device of this machine, got {name}: {reason}"
        ) from error
