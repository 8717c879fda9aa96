"""The sprites of RefSprites: emoji named by COCO classes, with what people call them.

A sprite that carries something of another class (a surfer's board, a basketball player's ball) is
left out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from ssc.errors import InputError

CLOTHES = ("red", "blue", "green", "purple", "pink", "black", "white")
PAINTS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "black", "white")


@dataclass(frozen=True)
class Sprite:
    """One picture of one class.

    Attributes:
        glyph: the emoji.
        category: its COCO class.
        names: nouns that expressions use for it, commonest first; the class name is added.
        also: nouns that somebody might use for it, so that they do not tell it from others.
        colour: its colour as drawn, None where it has no single one.
        paint: hue (degrees) of the part that can be painted in `paints`; None where there is none.
        adjectives: said before the noun ("bald man").
        having: said after "with" ("a beard").
        doing: said after the noun ("running").
        unseen: only in test splits, so that these measure more than memory.
    """

    glyph: str
    category: str
    names: tuple[str, ...]
    also: tuple[str, ...] = ()
    colour: str | None = None
    paint: float | None = None
    paints: tuple[str, ...] = PAINTS
    adjectives: tuple[str, ...] = ()
    having: tuple[str, ...] = ()
    doing: tuple[str, ...] = ()
    unseen: bool = False

    @property
    def is_person(self) -> bool:
        return self.category == "person"


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _sprite(category: str, glyph: str, names: str = "", **details: Any) -> Sprite:
    for key in ("also", "adjectives", "having", "doing"):
        if isinstance(details.get(key), str):
            details[key] = _words(str(details[key]))
    every = tuple(dict.fromkeys((*_words(names), category)))
    return Sprite(glyph, category, every, **details)


def _people() -> list[Sprite]:
    """Men wear teal (hue 165) and women purple (hue 255) in this font: what `paint` recolours."""
    man = {"names": "man, guy", "also": "dude, boy, gentleman"}
    woman = {"names": "woman, lady", "also": "girl, gal"}
    shirt_m = {**man, "colour": "green", "paint": 165.0, "paints": CLOTHES}
    shirt_f = {**woman, "colour": "purple", "paint": 255.0, "paints": CLOTHES}

    def role(who: dict, names: str) -> dict:
        return {**who, "names": f"{names}, {who['names']}"}

    rows: list[tuple[str, dict]] = [
        ("👨", man),
        ("👩", woman),
        ("👦", {"names": "boy, kid, child", "also": "guy"}),
        ("👧", {"names": "girl, kid, child", "also": "lady"}),
        ("👴", role(man, "old man, grandpa") | {"adjectives": "old"}),
        ("👵", role(woman, "old woman, grandma, old lady") | {"adjectives": "old"}),
        ("👶", {"names": "baby, child", "also": "kid, toddler, boy, girl"}),
        ("👱‍♂️", shirt_m | {"adjectives": "blond"}),
        ("👱‍♀️", shirt_f | {"adjectives": "blond"}),
        ("👨‍🦰", shirt_m | {"having": "red hair"}),
        ("👩‍🦰", shirt_f | {"having": "red hair", "unseen": True}),
        ("👨‍🦱", shirt_m | {"having": "curly hair"}),
        ("👩‍🦱", shirt_f | {"having": "curly hair"}),
        ("👨‍🦳", shirt_m | {"having": "white hair", "also": "dude, boy, old man"}),
        ("👩‍🦳", shirt_f | {"having": "white hair", "also": "girl, old woman, old lady"}),
        ("👨‍🦲", shirt_m | {"adjectives": "bald"}),
        ("👩‍🦲", shirt_f | {"adjectives": "bald"}),
        ("🧔", man | {"having": "a beard"}),
        ("🧍‍♂️", shirt_m),
        ("🧍‍♀️", shirt_f),
        ("🚶‍♂️", shirt_m | {"doing": "walking"}),
        ("🚶‍♀️", shirt_f | {"doing": "walking"}),
        ("🏃‍♂️", role(shirt_m, "runner") | {"doing": "running"}),
        ("🏃‍♀️", role(shirt_f, "runner") | {"doing": "running"}),
        ("🧘‍♂️", shirt_m | {"doing": "sitting"}),
        ("🧘‍♀️", shirt_f | {"doing": "sitting"}),
        ("🧎‍♂️", shirt_m | {"doing": "kneeling", "unseen": True}),
        ("🧎‍♀️", shirt_f | {"doing": "kneeling"}),
        ("🙋‍♂️", shirt_m | {"doing": "waving"}),
        ("🙋‍♀️", shirt_f | {"doing": "waving"}),
        ("🤷‍♂️", shirt_m),
        ("🤷‍♀️", shirt_f),
        ("🙆‍♂️", shirt_m),
        ("🙆‍♀️", shirt_f | {"unseen": True}),
        ("🤸‍♂️", shirt_m | {"adjectives": "upside down"}),
        ("🤸‍♀️", shirt_f | {"adjectives": "upside down"}),
        ("🏌️‍♂️", shirt_m | {"unseen": True}),
        ("🏌️‍♀️", role(shirt_f, "golfer")),
        ("👮‍♂️", role(man, "policeman, cop, police officer") | {"colour": "blue"}),
        ("👮‍♀️", role(woman, "policewoman, cop, police officer") | {"colour": "blue"}),
        ("👷‍♂️", role(man, "worker, builder") | {"colour": "orange", "having": "a yellow helmet"}),
        ("👷‍♀️", role(woman, "worker, builder") | {"colour": "orange", "having": "a yellow helmet"}),
        ("💂‍♂️", role(man, "guard, soldier") | {"colour": "red", "having": "a tall hat"}),
        ("👨‍⚕️", role(man, "doctor") | {"colour": "white"}),
        ("👩‍⚕️", role(woman, "doctor, nurse") | {"colour": "white"}),
        ("👨‍🍳", role(man, "chef, cook") | {"colour": "white"}),
        ("👩‍🍳", role(woman, "chef, cook") | {"colour": "white"}),
        ("👨‍🎓", man | {"colour": "black", "also": "boy, graduate, student", "unseen": True}),
        ("👩‍🎓", role(woman, "graduate, student") | {"colour": "black"}),
        ("👨‍🚀", role(man, "astronaut") | {"colour": "white"}),
        ("👩‍🚀", role(woman, "astronaut") | {"colour": "white"}),
        ("👨‍🌾", role(man, "farmer") | {"having": "a straw hat"}),
        ("👩‍🌾", role(woman, "farmer") | {"having": "a straw hat"}),
        ("👨‍💼", role(man, "businessman") | {"colour": "white"}),
        ("👩‍💼", role(woman, "businesswoman") | {"colour": "white"}),
        ("👨‍🔧", role(man, "mechanic") | {"colour": "blue", "having": "a wrench"}),
        ("👩‍🔧", role(woman, "mechanic") | {"colour": "blue", "having": "a wrench"}),
        ("👨‍🚒", role(man, "fireman, firefighter") | {"colour": "red"}),
        ("👩‍🚒", woman | {"colour": "red", "also": "girl, firefighter", "unseen": True}),
        ("👨‍✈️", man | {"colour": "black", "also": "boy, pilot, captain", "unseen": True}),
        ("👩‍✈️", role(woman, "pilot") | {"colour": "black"}),
        ("🤵‍♂️", role(man, "groom") | {"colour": "black"}),
        ("👰‍♀️", role(woman, "bride") | {"colour": "white"}),
        ("🎅", role(man, "santa") | {"colour": "red"}),
        ("🤴", role(man, "king, prince") | {"having": "a crown"}),
        ("👸", role(woman, "queen, princess") | {"having": "a crown"}),
        ("🧕", woman | {"colour": "purple", "having": "a headscarf"}),
        ("👳‍♂️", man | {"colour": "white", "having": "a turban"}),
        ("💃", role(woman, "dancer") | {"colour": "red", "doing": "dancing"}),
        ("🕺", role(man, "dancer") | {"colour": "white", "doing": "dancing"}),
        ("🕴️", man | {"colour": "black", "having": "sunglasses"}),
        ("🤺", {"names": "fencer", "also": "man, woman, guy", "colour": "white"}),
        ("🦸‍♂️", role(man, "superhero") | {"having": "a cape"}),
        ("🦸‍♀️", role(woman, "superhero") | {"having": "a cape"}),
    ]
    return [_sprite("person", glyph, **details) for glyph, details in rows]


# class: rows of (glyph, names, details)
_THINGS: dict[str, list[tuple[str, str, dict]]] = {
    "bicycle": [("🚲", "bike", {})],
    "car": [
        ("🚗", "", {"colour": "red", "paint": 2.0}),
        ("🚙", "suv", {"colour": "blue", "paint": 213.0}),
        ("🚕", "taxi, cab", {"colour": "yellow", "also": "taxi cab"}),
        ("🚖", "taxi, cab", {"colour": "yellow", "also": "taxi cab"}),
        ("🚓", "police car", {"colour": "black", "also": "cop car"}),
        ("🏎️", "race car", {"colour": "red", "paint": 2.0}),
        ("🚘", "", {"colour": "red", "paint": 2.0, "unseen": True}),
    ],
    "motorcycle": [
        ("🏍️", "motorbike", {"colour": "red", "paint": 355.0}),
        ("🛵", "scooter", {"colour": "yellow", "paint": 45.0, "also": "motorbike, moped"}),
    ],
    "airplane": [("✈️", "plane, jet", {}), ("🛩️", "plane, small plane", {})],
    "bus": [
        ("🚌", "", {"colour": "blue", "paint": 200.0}),
        ("🚍", "", {"colour": "blue", "paint": 200.0}),
        ("🚎", "trolleybus", {"colour": "green", "paint": 90.0}),
    ],
    "train": [
        ("🚂", "steam train, locomotive", {}),
        ("🚆", "", {"colour": "blue", "paint": 210.0}),
        ("🚄", "bullet train", {"colour": "white"}),
        ("🚊", "tram", {"colour": "yellow"}),
        ("🚃", "train car", {"colour": "green"}),
        ("🚈", "", {"colour": "white", "also": "tram", "unseen": True}),
    ],
    "truck": [
        ("🚚", "delivery truck", {"colour": "orange", "also": "lorry"}),
        ("🚛", "semi, semi truck", {"colour": "green", "also": "lorry"}),
        ("🚒", "fire truck", {"colour": "red", "also": "fire engine"}),
        ("🛻", "pickup, pickup truck", {"colour": "red", "paint": 5.0}),
        ("🚑", "ambulance", {"colour": "white"}),
    ],
    "boat": [
        ("⛵", "sailboat", {"also": "sailing boat"}),
        ("🚤", "speedboat", {"colour": "orange", "paint": 28.0}),
        ("🛶", "canoe", {"colour": "brown", "also": "kayak"}),
        ("🚢", "ship", {"also": "cruise ship"}),
        ("⛴️", "ferry", {"colour": "blue", "also": "ship"}),
        ("🛥️", "", {"colour": "white", "also": "ship, yacht, motorboat", "unseen": True}),
    ],
    "traffic light": [("🚦", "stoplight", {}), ("🚥", "stoplight", {})],
    "stop sign": [("🛑", "", {"colour": "red"})],
    "bird": [
        ("🐦", "", {"colour": "blue"}),
        ("🦅", "eagle", {"colour": "brown"}),
        ("🦆", "duck", {}),
        ("🦉", "owl", {"colour": "brown"}),
        ("🦩", "flamingo", {"colour": "pink"}),
        ("🦜", "parrot", {"colour": "green"}),
        ("🐓", "rooster", {"also": "chicken"}),
        ("🦃", "turkey", {"colour": "brown"}),
        ("🐧", "penguin", {}),
        ("🕊️", "dove", {"colour": "white", "also": "pigeon"}),
        ("🐤", "", {"colour": "yellow", "also": "chick, chicken"}),
        ("🦚", "peacock", {}),
        ("🦢", "", {"colour": "white", "also": "swan, duck", "unseen": True}),
    ],
    "cat": [
        ("🐈", "kitty", {"colour": "orange", "also": "kitten"}),
        ("🐈‍⬛", "kitty", {"colour": "black", "also": "kitten"}),
    ],
    "dog": [
        ("🐕", "puppy", {"colour": "white"}),
        ("🐩", "poodle", {"colour": "white"}),
        ("🦮", "golden retriever", {"colour": "yellow", "also": "retriever"}),
        ("🐕‍🦺", "", {"colour": "brown", "also": "german shepherd", "unseen": True}),
    ],
    "horse": [("🐎", "", {"colour": "brown"})],
    "sheep": [
        ("🐑", "", {"colour": "white", "also": "lamb"}),
        ("🐏", "ram", {}),
        ("🐐", "goat", {"colour": "brown"}),
    ],
    "cow": [
        ("🐄", "", {"colour": "white"}),
        ("🐂", "ox", {"colour": "brown", "also": "bull"}),
        ("🐃", "buffalo", {"also": "ox, bull"}),
    ],
    "elephant": [("🐘", "", {})],
    "bear": [
        ("🐻", "brown bear", {"colour": "brown"}),
        ("🐻‍❄️", "polar bear", {"colour": "white"}),
        ("🐼", "panda", {}),
    ],
    "zebra": [("🦓", "", {})],
    "giraffe": [("🦒", "", {})],
    "backpack": [("🎒", "", {"colour": "red", "paint": 5.0, "also": "bag"})],
    "umbrella": [
        ("☂️", "", {"colour": "purple", "paint": 250.0}),
        ("🌂", "closed umbrella", {"colour": "purple", "paint": 250.0}),
    ],
    "handbag": [
        ("👜", "purse, bag", {"colour": "brown", "paint": 22.0}),
        ("👛", "purse", {"colour": "pink", "paint": 335.0, "also": "bag"}),
        ("👝", "purse", {"colour": "yellow", "paint": 40.0, "also": "bag, pouch"}),
    ],
    "tie": [("👔", "necktie", {"also": "shirt"})],
    "suitcase": [
        ("🧳", "luggage", {"colour": "blue", "paint": 205.0, "also": "bag"}),
        ("💼", "briefcase", {"colour": "brown", "paint": 15.0, "also": "bag"}),
    ],
    "frisbee": [("🥏", "disc", {"colour": "blue", "paint": 205.0})],
    "skis": [("🎿", "ski", {"also": "ski boot"})],
    "sports ball": [
        ("⚽", "soccer ball, ball", {"colour": "white", "also": "football"}),
        ("🏀", "basketball, ball", {"colour": "orange"}),
        ("🏈", "football, ball", {"colour": "brown", "also": "rugby ball"}),
        ("⚾", "baseball, ball", {"colour": "white"}),
        ("🥎", "softball, ball", {"colour": "yellow", "also": "tennis ball"}),
        ("🏐", "ball", {"colour": "white", "also": "volleyball", "unseen": True}),
    ],
    "kite": [("🪁", "", {})],
    "skateboard": [("🛹", "", {"also": "board"})],
    "tennis racket": [("🏸", "racket", {"also": "badminton racket"})],
    "bottle": [
        ("🍾", "champagne bottle", {"colour": "green", "also": "champagne, wine bottle"}),
        ("🍼", "baby bottle", {}),
        ("🧴", "soap bottle, lotion", {"colour": "blue", "paint": 175.0}),
    ],
    "wine glass": [
        ("🍷", "red wine", {"also": "glass, wine"}),
        ("🍸", "martini", {"also": "glass, cocktail, drink"}),
        ("🍹", "", {"also": "glass, cocktail, drink", "colour": "orange"}),
    ],
    "cup": [
        ("☕", "coffee, coffee cup, mug", {"colour": "white", "also": "tea"}),
        ("🥤", "soda, drink", {"colour": "blue", "paint": 190.0}),
        ("🍺", "beer, beer mug, mug", {"colour": "yellow", "also": "drink, glass"}),
        ("🧋", "", {"colour": "brown", "also": "bubble tea, drink, tea"}),
        ("🍵", "", {"colour": "green", "also": "tea, drink", "unseen": True}),
    ],
    "fork": [("🍴", "", {"also": "knife, cutlery, silverware"})],
    "knife": [("🔪", "kitchen knife", {}), ("🗡️", "dagger", {"also": "sword"})],
    "spoon": [("🥄", "", {})],
    "bowl": [
        ("🥣", "", {"colour": "blue", "paint": 212.0}),
        ("🍜", "noodles, soup", {"colour": "red"}),
        ("🥗", "salad", {"colour": "green"}),
        ("🍚", "rice", {"colour": "blue"}),
    ],
    "banana": [("🍌", "", {"colour": "yellow"})],
    "apple": [("🍎", "", {"colour": "red"}), ("🍏", "", {"colour": "green"})],
    "sandwich": [("🥪", "", {}), ("🍔", "burger, hamburger", {}), ("🌯", "burrito, wrap", {})],
    "orange": [("🍊", "", {"colour": "orange"}), ("🍋", "lemon", {"colour": "yellow"})],
    "broccoli": [("🥦", "", {"colour": "green"})],
    "carrot": [("🥕", "", {"colour": "orange"})],
    "hot dog": [("🌭", "", {})],
    "pizza": [("🍕", "pizza slice, slice", {})],
    "donut": [("🍩", "doughnut", {"colour": "brown", "paint": 15.0, "paints": ("brown", "pink")})],
    "cake": [
        ("🎂", "birthday cake", {}),
        ("🍰", "slice of cake", {"also": "slice"}),
        ("🧁", "cupcake", {"also": "muffin"}),
    ],
    "chair": [
        ("🪑", "wooden chair", {"colour": "brown"}),
        ("💺", "seat", {"colour": "blue", "paint": 215.0}),
    ],
    "couch": [("🛋️", "sofa", {"colour": "blue", "paint": 200.0})],
    "potted plant": [
        ("🪴", "plant", {"colour": "green"}),
        ("🌵", "cactus, plant", {"colour": "green"}),
    ],
    "bed": [("🛏️", "", {"colour": "blue", "paint": 210.0})],
    "toilet": [("🚽", "", {"colour": "white"})],
    "tv": [
        ("📺", "television", {}),
        ("🖥️", "monitor, screen", {"also": "computer"}),
    ],
    "laptop": [("💻", "", {"also": "computer, notebook"})],
    "mouse": [("🖱️", "computer mouse", {"colour": "white"})],
    "keyboard": [("⌨️", "", {"colour": "white"})],
    "cell phone": [("📱", "phone, smartphone", {"colour": "black"})],
    "book": [
        ("📕", "", {"colour": "red", "paint": 2.0}),
        ("📘", "", {"colour": "blue", "paint": 212.0}),
        ("📖", "open book", {"colour": "white"}),
        ("📓", "notebook", {"colour": "black"}),
        ("📚", "stack of books, books", {}),
        ("📔", "", {"colour": "orange", "also": "notebook", "unseen": True}),
    ],
    "clock": [
        ("⏰", "alarm clock", {"colour": "red", "paint": 2.0}),
        ("🕰️", "mantel clock", {"colour": "brown"}),
        ("🕐", "wall clock", {"colour": "white"}),
        ("🕘", "wall clock", {"colour": "white"}),
        ("⌚", "watch", {"colour": "brown"}),
    ],
    "vase": [
        ("🏺", "amphora", {"colour": "brown", "also": "pot, jar"}),
        ("⚱️", "urn", {"colour": "orange", "paint": 30.0, "also": "pot, jar"}),
    ],
    "scissors": [("✂️", "", {"colour": "red", "paint": 355.0})],
    "teddy bear": [("🧸", "teddy, stuffed animal", {"also": "bear, toy", "colour": "brown"})],
    "toothbrush": [("🪥", "", {"colour": "orange", "paint": 25.0})],
}

SPRITES: tuple[Sprite, ...] = (
    *_people(),
    *(
        _sprite(category, glyph, names, **details)
        for category, rows in _THINGS.items()
        for glyph, names, details in rows
    ),
)
CATEGORIES: tuple[str, ...] = tuple(dict.fromkeys(sprite.category for sprite in SPRITES))


def richest(count: int) -> tuple[str, ...]:
    """The `count` categories of most sprites that training shows, "person" first.

    Many sprites of one class are what looks can tell apart. All categories for a `count` of 0.

    Raises:
        InputError: fewer than 2 categories, or more than there are.
    """
    if not count:
        return CATEGORIES
    if not 2 <= count <= len(CATEGORIES):
        raise InputError(f"classes: expected 2 to {len(CATEGORIES)}, got {count}")
    sprites = Counter(sprite.category for sprite in SPRITES if not sprite.unseen)
    chosen = sorted(CATEGORIES, key=lambda name: -sprites[name])[:count]
    return tuple(name for name in CATEGORIES if name in chosen)


CLUTTER = (  # of no COCO class
    "🌳", "🌲", "🪨", "🏠", "🌴", "🎈", "🎁", "🪣", "🎸",
    "🪜", "🗑️", "📦", "🕯️", "💡", "🔑", "🍇",
    "🍓", "🍉", "🪧", "🛢️", "🎺", "🔔", "🧱", "🪵",
)  # fmt: skip
