"""Everything that trains and measures.

python -m train                                  # lists the commands
python -m train run --data DATA --out DIR        # from sentences to a checkpoint
python -m train COMMAND --help
"""

from __future__ import annotations

import sys
from importlib import import_module

COMMANDS = {
    "run": ("train.run.__main__", "from sentences to a checkpoint: all steps, one after the other"),
    "data": ("train.data.__main__", "data check DATA: looks through a data set"),
    "pseudo": ("train.pseudo.__main__", "stages 1 and 2 of every picture: S1 and S2"),
    "fit": ("train.fit.__main__", "bootstrap, correct or supervised training of stage 3"),
    "evaluate": ("train.evaluate.__main__", "the tables, on any data set with true masks or boxes"),
    "matching": ("train.evaluate.matching_accuracy", "how often matching finds the right mask"),
    "report": (
        "train.run.report",
        "what a folder of `run` holds, as a page: tables and curves",
    ),
    "study": ("train.run.study", "what stage 3 is worth: Table 4 and figure 6 over several seeds"),
    "scenes": ("train.data.scenes", "RefSprites: preview, export as a data set of one's own"),
    "mini": ("train.mini.__main__", "trains the bundled models"),
    "convert": ("train.convert", "the authors' checkpoints to ours and back"),
    "bench": ("train.measure.bench", "speed and memory of the bundled models and the page"),
    "memory": ("train.measure.memory", "memory that training's data take, by number of pictures"),
    "page-load": ("train.measure.page_load", "many clients at once: right answers, flat memory"),
    "page-speed": ("train.measure.page_speed", "from a click to its answer, in a browser"),
    "photo-note": ("train.measure.photo_note", "how often a photograph is told from a scene"),
}


def main() -> int | str | None:
    """What the command returns, for `sys.exit`."""
    name, *rest = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        print(f"{__doc__}\ncommands:")
        for command, (_, what) in COMMANDS.items():
            print(f"  {command:10} {what}")
        return 0
    if name not in COMMANDS:
        print(f"error: expected one of {', '.join(COMMANDS)}, got {name!r}", file=sys.stderr)
        return 2
    sys.argv = [f"{sys.argv[0]} {name}", *rest]
    return import_module(COMMANDS[name][0]).main()


if __name__ == "__main__":
    sys.exit(main())
