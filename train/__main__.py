"""Lists and runs the commands that train and measure.

python -m train                                  # lists the commands
python -m train run --data DATA --out DIR        # from sentences to a checkpoint
python -m train COMMAND --help
"""

from __future__ import annotations

import sys
from importlib import import_module

from ssc.entry import command

COMMANDS = {
    "run": ("train.run.__main__", "from pictures and sentences to a checkpoint, all steps"),
    "plan": ("train.run.scale", "hours, bytes and requests of so many pictures"),
    "data": (
        "train.data.__main__",
        "checks a data set, groups its sentences, or packs it into tar files",
    ),
    "pseudo": ("train.pseudo.__main__", "stages 1 and 2 over a data set, stored as S1 and S2"),
    "batch": ("train.batch.__main__", "answers all sentences of a data set, as Parquet"),
    "fit": (
        "train.fit.__main__",
        "trains stage 3, or a text-supervised system of Table 1",
    ),
    "evaluate": ("train.evaluate.__main__", "accuracy tables, on data with true masks or boxes"),
    "matching": ("train.evaluate.matching_accuracy", "how often matching finds the right mask"),
    "workbench": ("train.workbench.__main__", "a page to look at S1 and S2 and put them right"),
    "review": ("train.review.__main__", "what reviews are worth: a simulated reviewer"),
    "push": ("train.run.push", "publishes a checkpoint of a run on the Hub, with a card"),
    "export": ("train.export.__main__", "masks as COCO, RefCOCO, gRefCOCO, YOLO, labelme, PNG"),
    "report": (
        "train.run.report",
        "a page of tables and curves about a folder of `run`",
    ),
    "study": ("train.run.study", "what stage 3 is worth: Table 4 and figure 6 over several seeds"),
    "tables": ("train.tables.__main__", "the paper's Tables 1 to 4, all rows beside its figures"),
    "reviewed": (
        "train.run.reviewed",
        "what reviews are worth to training, by a simulated reviewer",
    ),
    "scenes": ("train.data.scenes", "RefSprites: preview scenes, export them as a data set"),
    "mini": ("train.mini.__main__", "trains the bundled models"),
    "convert": ("train.convert", "converts the authors' checkpoints to ours and back"),
    "bench": ("train.measure.bench", "speed and memory of the bundled models and the page"),
    "memory": ("train.measure.memory", "memory that training data take, by number of pictures"),
    "page-load": (
        "train.measure.page_load",
        "many visitors of the page at once: answers and memory",
    ),
    "page-speed": ("train.measure.page_speed", "seconds from a click to its answer, in a browser"),
    "workbench-speed": ("train.measure.workbench", "from a key to the next picture, in a browser"),
    "photo-note": (
        "train.measure.photo_note",
        "how often the page tells a photograph from a scene",
    ),
}


@command()
def main() -> int | str | None:
    """What the command returns, for `sys.exit`."""
    name, *rest = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        print(f"{__doc__}\ncommands:")
        for command, (_, what) in COMMANDS.items():
            print(f"  {command:15} {what}")
        return 0
    if name not in COMMANDS:
        print(f"error: expected one of {', '.join(COMMANDS)}, got {name!r}", file=sys.stderr)
        return 2
    sys.argv = [f"{sys.argv[0]} {name}", *rest]
    return import_module(COMMANDS[name][0]).main()


if __name__ == "__main__":
    sys.exit(main())
