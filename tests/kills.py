"""Kills at random moments: what is made in the end has the bytes of an unbroken run.

python tests/kills.py                                           # minutes; --help has more
python tests/kills.py --scenes 240 --kills 10 --fit-kills 5     # thoroughly
python tests/kills.py --bucket --changes 0      # into a bucket whose server drops requests

Stages 1 and 2, answers, then a training, each by one process and by two, killed with kill -9. Then
`train run`, killed, its pictures, sentences and masks changed between one kill and the next: its
figures are those of a run that has seen nothing else, and what other inputs gave is set aside.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

WITH_PARENT = "SSC_ENDS_WITH_PARENT"  # so that nothing outlives this command
SHARD = 8  # pictures, so that ten kills meet different ones
SAVES = 20  # of a training
RUN = "run"  # python tests/kills.py run MODULE OPTIONS: as python -m MODULE, with such shards
Check = Callable[[bool, str], None]


def start(module: str, options: Sequence[object], log: Path, processes: int = 1) -> list:
    """Starts a command; each of its process groups is one that can be killed.

    Args:
        processes: of a training together; of others that many commands alike.
    """
    head = [sys.executable]
    if module == "train.fit" and processes > 1:
        head += ["-m", "train.run.child", "torch.distributed.run", "--standalone"]
        head += ["--nproc_per_node", str(processes)]
    whole = [*head, __file__, RUN, module, *map(str, options)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", WITH_PARENT: str(os.getpid())}
    with log.open("a") as file:
        return [
            subprocess.Popen(
                whole, cwd=ROOT, env=environment, stdout=file, stderr=file, start_new_session=True
            )
            for _ in range(1 if module == "train.fit" else processes)
        ]


def finish(processes: list, log: Path) -> None:
    statuses = [process.wait() for process in processes]
    if any(statuses):
        raise SystemExit(f"a command failed:\n{log.read_text()[-2000:]}")


def kill(processes: list) -> bool:
    """Whether it met a process at work."""
    met = any(process.poll() is None for process in processes)
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return met


def content(folder: Path, pattern: str) -> dict[str, bytes]:
    from train.data.places import names_in, read

    return {
        name: read(folder / name) for name in sorted(names_in(folder)) if fnmatch(name, pattern)
    }


def state(folder: Path) -> list[object]:
    """What changes with each file that is written."""
    from train.data.places import exists, is_url

    try:
        if not is_url(folder):
            return [(path, path.stat().st_mtime_ns) for path in sorted(folder.rglob("*"))]
        exists(folder)  # forgets what it has remembered
        found: Any = folder
        return [
            (name, entry.get("ETag"))
            for name, entry in found.fs.find(found.path, detail=True).items()
        ]
    except OSError:  # a file that is put in its place, or a request that is dropped
        return []


def broken(
    module: str,
    options: Sequence[object],
    out: Path,
    count: int,
    saves: int,
    seconds: float,
    rng: random.Random,
    processes: int,
    log: Path,
) -> int:
    """A command killed `count` times and gone on with to its end; returns how many met work.

    Args:
        saves: how often an unbroken run writes a file, at least.
        seconds: that it takes.
    """
    met = 0
    for _ in range(count):
        running = start(module, [*options, "--out", out], log, processes)
        for _ in range(rng.randint(0, saves // count)):  # of none it may be loading
            before = state(out)
            while state(out) == before and running[0].poll() is None:
                time.sleep(0.01)
        time.sleep(rng.uniform(0, seconds / saves))
        met += kill(running)
    finish(start(module, [*options, "--out", out], log, processes), log)
    return met


def same_bytes(
    module: str,
    options: Sequence[object],
    folder: Path,
    pattern: str,
    count: int,
    saves: int,
    rng: random.Random,
    check: Check,
    bucket: Path | None,
    part: str = "",
) -> Path:
    """Runs a command unbroken, and killed by one process and by two; returns where the latter is.

    Args:
        pattern: of the files that are compared.
        saves: as of `broken`.
        bucket: where what is killed writes to; None for `folder`.
        part: folder of these files in the output.
    """
    wholes = {}
    for processes in (1, 2):
        whole = folder / f"{module}-whole-{processes}"
        began = time.monotonic()
        log = folder / f"{module}.log"
        finish(start(module, [*options, "--out", whole], log, processes), log)
        seconds = time.monotonic() - began
        wholes[processes] = content(whole / part, pattern)
        out = (bucket or folder) / f"{module}-killed-{processes}"
        met = broken(module, options, out, count, saves, seconds, rng, processes, log)
        found = content(out / part, pattern)
        same = found == wholes[processes] != {}
        check(met > 0, f"{module}, {processes} at work: {met} of {count} kills met it at work")
        check(same, f"{module}, {processes} at work: {len(wholes[processes])} files")
    if module != "train.fit":
        check(wholes[1] == wholes[2], f"{module}: one process and two")
    return out


def change(data: Path, val: Path, number: int) -> str:
    """Changes an input, each time another kind; what is changed."""
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    kind = ("pictures swapped", "a sentence", "a mask", "a picture fewer")[number % 4]
    if kind == "pictures swapped":
        one, other = (data.parent / row["image"] for row in rows[number : number + 2])
        before = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(before)
    elif kind == "a sentence":
        rows[0]["objects"][0]["expressions"][0] = f"the object number {number}"
    elif kind == "a mask":
        first = json.loads(val.read_text().splitlines()[0])
        masks = [val.parent / thing["mask"] for thing in first["objects"]]
        other = json.loads(val.read_text().splitlines()[1])["objects"][0]["mask"]
        masks[0].write_bytes((val.parent / other).read_bytes())
    else:
        rows = rows[:-1]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return kind


def changed_inputs(folder: Path, data: Path, val: Path, count: int, check: Check) -> None:
    """`train run`, killed and its inputs changed `count` times, beside one that sees the last."""
    rng = random.Random(1)
    options = ["--data", data, "--val", val, "--init", "none", "--precision", "no", "--batch", 4]
    options += ["--steps", 12, "--save-every", 2, "--eval-every", 4]
    out, fresh, log = folder / "run", folder / "fresh", folder / "run.log"
    began = time.monotonic()
    finish(start("train.run", [*options, "--out", out], log), log)
    seconds, made, kinds = time.monotonic() - began, content(out / "pseudo", "shard-*"), []
    for number in range(count):
        kinds.append(change(data, val, number))
        running = start("train.run", [*options, "--out", out], log)
        time.sleep(rng.uniform(0.2, 0.9) * seconds)
        kill(running)
    finish(start("train.run", [*options, "--out", out], log), log)
    finish(start("train.run", [*options, "--out", fresh], log), log)
    said = ", ".join(kinds)
    for part, pattern in (
        ("pseudo", "shard-*"),
        ("bootstrap", "model.safetensors"),
        ("correct", "model.safetensors"),
        ("checkpoint", "model.safetensors"),
        ("bootstrap", "log.jsonl"),
        ("correct", "log.jsonl"),
    ):
        a, b = content(out / part, pattern), content(fresh / part, pattern)
        check(a == b != {}, f"train run after {said}: {part}/{pattern}")
    tables = [
        json.loads((place / "evaluation.json").read_text())["splits"] for place in (out, fresh)
    ]
    check(tables[0] == tables[1], f"train run after {said}: figures")
    kept = [content(place, "shard-*") for place in out.glob("pseudo.old-*")]
    check(made in kept, "train run: what the first inputs gave is still there")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--scenes", type=int, default=32)
    parser.add_argument("--kills", type=int, default=3, help="of stages 1 and 2")
    parser.add_argument("--fit-kills", type=int, default=2, help="of a training")
    parser.add_argument("--changes", type=int, default=2, help="of the inputs of a run")
    parser.add_argument("--bucket", action="store_true", help="what is killed writes to s3://")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    from tests.train.bucket import Bucket
    from tests.train.slice_pictures import pictures
    from train.data import open_dataset
    from train.data.export import export
    from train.data.places import place_of

    failed = []

    def check(held: bool, what: str) -> None:
        print("same" if held else "DIFFERS", what, sep=": ", flush=True)
        failed.extend([what] * (not held))

    rng = random.Random(args.seed)
    folder = Path(tempfile.mkdtemp())
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        place = None
        if args.bucket:
            server = stack.enter_context(Bucket())
            os.environ.update(server.environment, HOME=str(folder))
            place = place_of(server.url)
        scenes = open_dataset(f"refsprites:train:{args.scenes}")
        data = export((scenes[k] for k in range(len(scenes))), folder / "data" / "train.jsonl")
        options: list[object] = ["--data", data]
        shards = -(-args.scenes // SHARD)
        counts = (args.kills, shards, rng, check, place)
        pseudo = same_bytes("train.pseudo", options, folder, "shard-*", *counts)
        each = [data, "--each", SHARD, "--correct", "off"]
        same_bytes("train.batch", each, folder, "*.parquet", *counts, part="answers")
        options = ["bootstrap", *options, "--store", pseudo, "--model", "nano", "--batch", 8]
        options += ["--steps", 2 * SAVES, "--save-every", 2, "--precision", "no"]
        options += ["--cache", folder / "cache"]
        pattern = "[lm]o*.[js]*"  # log.jsonl and model.safetensors
        same_bytes("train.fit", options, folder, pattern, args.fit_kills, SAVES, rng, check, place)
        few = list(pictures(12))
        own = export(few[:8], folder / "run-data" / "train.jsonl")
        val = export(few[8:], folder / "run-data" / "val.jsonl", masks=True)
        if args.changes:
            changed_inputs(folder, own, val, args.changes, check)
        if args.bucket:
            print(f"requests dropped: {len(server.dropped)}, cut off: {len(server.cut)}")
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == [RUN]:
        from train.pseudo import make, store

        store.SHARD = make.SHARD = SHARD
        module, *sys.argv[1:] = sys.argv[2:]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        sys.exit(main())
