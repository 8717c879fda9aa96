"""Makes the table of nouns and their classes that `ssc.words.classes` reads.

python -m train.mini.noun_classes --wordnet /usr/share/wordnet   # Debian's package wordnet-base

A noun has the classes that it is a kind of by WordNet 3.0 (a sense's hypernyms), those of the
synonym lexicon, and those of `SEVERAL`, the likeliest first. Lines are noun, classes' numbers, and
a mark: "p" for what people wear or are made of, "f" for a thing of no class. WordNet's licence
(https://wordnet.princeton.edu/license-and-commercial-use) allows use with its notice, which stands
in the table's first lines.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

from ssc.words.vocabulary import COCO_80
from train.scenes.lexicon import LEXICON

OUT = Path(__file__).resolve().parents[2] / "ssc" / "words" / "nouns.tsv.gz"
SHARE = 0.5
"""A later sense counts where WordNet's texts have it this often for one of the first."""
NOTICE = """# Made by train.mini.noun_classes from WordNet 3.0 and the synonym lexicon.
# WordNet 3.0 Copyright 2006 by Princeton University. All rights reserved. Used under its licence.
"""

# Class → WordNet synsets (lemma, sense number from 1) whose hyponyms it takes in.
SYNSETS = {name: [(name.replace(" ", "_"), 1)] for name in COCO_80}
SYNSETS |= {
    "person": [("person", 1), ("people", 1), ("uniform", 1)],
    "bicycle": [("bicycle", 1), ("tricycle", 1)],
    "car": [("car", 1)],
    "airplane": [("aircraft", 1)],
    "train": [("train", 1), ("railcar", 1), ("locomotive", 1), ("streetcar", 1)],
    "truck": [("truck", 1), ("tractor", 1), ("trailer", 4)],
    "boat": [("vessel", 2)],
    "stop sign": [("stop_sign", 1), ("street_sign", 1)],
    "cow": [("bovine", 1)],
    "sheep": [("sheep", 1), ("goat", 1)],
    "horse": [("equine", 1)],
    "handbag": [("bag", 4), ("bag", 1)],
    "suitcase": [("baggage", 1)],
    "backpack": [("backpack", 1)],
    "tie": [("necktie", 1)],
    "skis": [("ski", 1)],
    "sports ball": [("ball", 1)],
    "kite": [("kite", 3)],
    "baseball bat": [("baseball_bat", 1)],
    "baseball glove": [("baseball_glove", 1)],
    "tennis racket": [("racket", 4)],
    "wine glass": [("wineglass", 1), ("goblet", 1)],
    "cup": [("cup", 1), ("glass", 2), ("mug", 4)],
    "knife": [("knife", 1)],
    "bowl": [("bowl", 1), ("bowl", 3), ("dish", 1), ("plate", 4)],
    "orange": [("orange", 1), ("citrus", 1)],
    "hot dog": [("hotdog", 2), ("sausage", 1)],
    "sandwich": [("sandwich", 1)],
    "donut": [("doughnut", 2)],
    "cake": [("cake", 3), ("pastry", 2)],
    "chair": [("chair", 1), ("seat", 3)],
    "couch": [("sofa", 1)],
    "potted plant": [("pot_plant", 1), ("houseplant", 1), ("plant", 2), ("flower", 1)],
    "dining table": [("table", 2), ("table", 3), ("desk", 1)],
    "toilet": [("toilet", 2)],
    "tv": [("television_receiver", 1), ("monitor", 4), ("screen", 4)],
    "laptop": [("laptop", 1), ("computer", 1)],
    "mouse": [("mouse", 4)],
    "remote": [("remote_control", 1)],
    "keyboard": [("keyboard", 1)],
    "cell phone": [("telephone", 1)],
    "microwave": [("microwave", 2)],
    "oven": [("oven", 1), ("stove", 1)],
    "toaster": [("toaster", 2)],
    "sink": [("sink", 1), ("washbasin", 1)],
    "refrigerator": [("refrigerator", 1)],
    "book": [("book", 2), ("publication", 1)],
    "clock": [("timepiece", 1)],
    "vase": [("vase", 1), ("pot", 1), ("jug", 1)],
    "scissors": [("scissors", 1)],
    "teddy bear": [("teddy", 1), ("plaything", 1)],
    "hair drier": [("hand_blower", 1)],
    "parking meter": [("parking_meter", 1)],
}
WORN = [
    ("body_part", 1), ("clothing", 1), ("headdress", 1), ("footwear", 1), ("footwear", 2),
    ("jewelry", 1), ("spectacles", 1), ("hair", 1), ("external_body_part", 1), ("fabric", 1),
    ("feature", 2), ("tail", 1), ("horn", 2), ("wing", 1), ("snout", 1), ("hoof", 1),
]  # fmt: skip
THINGS = [("physical_entity", 1)]

_SEVERAL = """
    bike, cycle: bicycle, motorcycle; scooter: motorcycle, skateboard; glass: cup, wine glass;
    drink: cup, wine glass, bottle; wine: wine glass, bottle; beer: bottle, cup, wine glass;
    water, juice: cup, bottle; computer: laptop, tv, keyboard; monitor: tv, laptop; screen: tv,
    laptop, cell phone; phone: cell phone; bag: handbag, backpack, suitcase; luggage: suitcase,
    backpack, handbag; board: surfboard, skateboard, snowboard; bat: baseball bat; racket,
    racquet: tennis racket; glove: baseball glove, person; mitt: baseball glove; ball: sports
    ball; sofa, couch: couch, chair; seat: chair, bench, couch; stool: chair; armchair: chair,
    couch; love seat, loveseat: couch; pillow: couch, bed, chair; cushion: couch, chair, bed;
    table, desk, counter: dining table; pastry, sprinkle, chocolate: donut, cake; dessert,
    frosting, icing: cake, donut; bread: sandwich, donut; roll, bun: sandwich, hot dog; burger:
    sandwich; plant, flower: potted plant, vase; pot: potted plant, vase, bowl; van: car, truck,
    bus; suv, cab: car, truck; trailer: truck; tram, trolley: train, bus; plate, tray: bowl,
    dining table; dish, soup: bowl, cup; salad: bowl, broccoli; mug: cup; container: bowl, cup,
    bottle, vase; jar: bottle, vase, cup; bull: cow; animal: dog, cat, horse, sheep, cow,
    elephant, bear, zebra, giraffe, bird; pet: cat, dog; food: pizza, sandwich, donut, cake, hot
    dog, broccoli, carrot, banana, apple, orange, bowl; vegetable, veggie: broccoli, carrot;
    fruit: banana, apple, orange; vehicle: car, truck, bus, motorcycle, train, boat, airplane,
    bicycle; furniture: chair, couch, bed, dining table, bench; toy, teddy, stuffed animal: teddy
    bear; doll: teddy bear, person; bear: bear, teddy bear; calf: cow, elephant, giraffe; cub:
    bear; foal, mane: horse, zebra; lamb: sheep; tie: tie, person; umbrella: umbrella; cover:
    book, bed; blanket: bed, couch, person; sheet, mattress, bunk: bed; magazine: book; stove:
    oven; fridge: refrigerator; sign: stop sign; knife: knife; utensil: fork, spoon, knife; meat:
    sandwich, hot dog, pizza; sausage: hot dog, pizza; cheese, crust: pizza, sandwich; topping:
    pizza, donut; sail: boat; trunk: elephant, suitcase, car; tusk: elephant; stripe: zebra; tire:
    car, truck, motorcycle, bicycle; wheel: bicycle, motorcycle, car, truck; windshield: car, bus,
    truck; engine: train, airplane, motorcycle; florets, floret: broccoli; wii, controller:
    remote; kitten: cat; wing: airplane, bird; tail: airplane, horse, cow, elephant, giraffe;
    horn: cow, sheep; case: suitcase; thumb, player, crowd, couple, guy, catcher, head, police:
    person; slice: pizza, cake, sandwich, orange, apple; pitcher: person, cup; chicken: bird,
    sandwich;
"""
SEVERAL = {
    noun: classes
    for entry in " ".join(_SEVERAL.split()).split(";")[:-1]
    for nouns, classes in [entry.split(": ")]
    for noun in nouns.strip().split(", ")
}
"""Nouns of everyday English that several classes share, the likeliest first."""
PARTS = frozenset(
    [
        "tie",
        "head",
        "body",
        "trunk",
        "tusk",
        "mane",
        "tire",
        "wheel",
        "windshield",
        "engine",
        "sail",
        "wing",
        "tail",
        "horn",
        "crust",
        "sprinkle",
        "topping",
        "frosting",
        "icing",
        "trailer",
    ]
)
"""Nouns of `SEVERAL` that are parts of a thing, or worn."""


class WordNet:
    """Nouns of WordNet's database files (`index.noun`, `data.noun`, `cntlist.rev`)."""

    def __init__(self, folder: Path) -> None:
        self.senses: dict[str, list[int]] = {}  # lemma → synsets, the most frequent first
        self.parents: dict[int, list[int]] = {}
        self.counts: dict[tuple[str, int], int] = {}  # (lemma, sense from 1) → uses in texts
        for line in (folder / "index.noun").read_text().splitlines():
            if not line.startswith(" "):
                parts = line.split()
                self.senses[parts[0]] = [int(p) for p in parts[-int(parts[2]) :]]
        for line in (folder / "data.noun").read_text().splitlines():
            if line.startswith(" "):
                continue
            parts = line.split(" | ")[0].split()
            at = 4 + 2 * int(parts[3], 16)
            links = [parts[i : i + 4] for i in range(at + 1, at + 1 + 4 * int(parts[at]), 4)]
            self.parents[int(parts[0])] = [int(to) for mark, to, *_ in links if mark in ("@", "@i")]
        for line in (folder / "cntlist.rev").read_text().splitlines():
            key, number, count = line.split()
            lemma, kind = key.split("%")
            if kind.startswith("1:"):
                self.counts[lemma, int(number)] = int(count)

    def usual(self, lemma: str) -> list[int]:
        """The synsets of a lemma that are about as usual as its first."""
        first = self.counts.get((lemma, 1), 0)
        return [
            synset
            for number, synset in enumerate(self.senses[lemma], 1)
            if number == 1 or self.counts.get((lemma, number), 0) > max(SHARE * first, 0)
        ]

    def above(self, synset: int) -> list[int]:
        """The synset and its hypernyms, the nearest first."""
        order, visited = [synset], {synset}
        for one in order:
            new = [p for p in self.parents[one] if p not in visited]
            order += new
            visited.update(new)
        return order

    def find(self, synsets: list[tuple[str, int]]) -> list[int]:
        return [
            self.senses[lemma][number - 1]
            for lemma, number in synsets
            if len(self.senses.get(lemma, ())) >= number
        ]


def make(folder: Path) -> dict[str, tuple[tuple[str, ...], str]]:
    """Noun → its classes and its mark."""
    net = WordNet(folder)
    roots = {s: name for name, synsets in SYNSETS.items() for s in net.find(synsets)}
    worn, objects = set(net.find(WORN)), set(net.find(THINGS))
    table: dict[str, tuple[tuple[str, ...], str]] = {}
    for lemma in net.senses:
        noun = lemma.replace("_", " ").replace("-", " ")
        if noun.count(" ") > 1 or not noun.replace(" ", "").isalpha() or len(noun) < 3:
            continue
        usual = [net.above(synset) for synset in net.usual(lemma)]
        kinds = dict.fromkeys(roots[s] for above in usual for s in above if s in roots)
        if kinds:
            table[noun] = tuple(kinds)[:2], ""
        elif any(worn.intersection(above) for above in usual):
            table[noun] = ("person",), "p"
        elif objects.intersection(usual[0]) and net.counts.get((lemma, 1), 0) and " " not in noun:
            table[noun] = (), "f"
    for name, nouns in LEXICON.items():
        for noun in (name, *nouns):
            noun = noun.replace("-", " ")
            own, mark = table.get(noun, ((), ""))
            if name == "person" and any(
                worn.intersection(net.above(s))
                for s in net.senses.get(noun.replace(" ", "_"), ())[:3]
            ):
                mark = "p"
            others = (c for c in own if c not in (name, "person"))
            table[noun] = (name, *others)[:2], mark.replace("f", "")
    for noun, names in SEVERAL.items():
        table[noun] = tuple(names.split(", ")), "p" if noun in PARTS else ""
        table.pop(noun + "s", None)
    for name in COCO_80:
        if name not in SEVERAL:
            table[name] = (name,), ""
    return dict(sorted(table.items()))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m train.mini.noun_classes", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    args = parser.parse_args()
    rows = [
        f"{noun}\t{','.join(str(COCO_80.index(name)) for name in names)}\t{mark}\n"
        for noun, (names, mark) in make(args.wordnet).items()
    ]
    OUT.write_bytes(gzip.compress((NOTICE + "".join(rows)).encode(), mtime=0))
    print(f"{len(rows)} nouns in {OUT}")


if __name__ == "__main__":
    main()
