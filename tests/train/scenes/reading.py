"""An independent, plain reading of what RefSprites' expressions mean."""

import numpy as np


def reading(meaning, scene):
    """An independent, plain reading of a meaning: the objects that it describes, by its words."""
    h, w = scene.ids.shape
    objects = list(enumerate(scene.instances))
    fits = [
        (k, o)
        for k, o in objects
        if meaning.noun in o.sprite.names
        and meaning.colour in (None, o.colour)
        and (
            meaning.trait is None
            or meaning.trait in o.sprite.adjectives + o.sprite.having + o.sprite.doing
        )
    ]
    if meaning.size:
        fits = [(max if meaning.size == "big" else min)(fits, key=lambda p: p[1].area)]
    if meaning.relation:
        kind, noun = meaning.relation
        [anchor] = [o for _, o in objects if noun in o.sprite.names]
        place = next(k for k, o in objects if o is anchor)
        tests = {
            "left of": lambda k, o: o.centre[0] < anchor.centre[0],
            "right of": lambda k, o: o.centre[0] > anchor.centre[0],
            "above": lambda k, o: o.centre[1] < anchor.centre[1],
            "below": lambda k, o: o.centre[1] > anchor.centre[1],
            "behind": lambda k, o: place in o.covered_by,
            "in front of": lambda k, o: k in anchor.covered_by,
        }
        if kind == "next to":
            fits = [min(fits, key=lambda p: np.hypot(*np.subtract(p[1].centre, anchor.centre)))]
        else:
            fits = [p for p in fits if tests[kind](*p)]
    if meaning.rank:
        side, rank = meaning.rank
        fits = sorted(fits, key=lambda p: p[1].centre[0], reverse=side == "right")
        fits = [fits[rank - 1]]
    if meaning.place:
        x, y = (lambda p: p[1].centre[0]), (lambda p: p[1].centre[1])
        if meaning.place == "middle" and len(fits) > 1:
            fits = [sorted(fits, key=x)[len(fits) // 2]]
        elif meaning.place in ("left", "right", "top", "bottom"):
            sign = -1 if meaning.place in ("right", "bottom") else 1
            key = x if meaning.place in ("left", "right") else y
            fits = [min(fits, key=lambda p: sign * key(p))]
        elif " " in meaning.place:
            row, side = meaning.place.split()
            fits = [
                p
                for p in fits
                if (y(p) < h / 2) == (row == "top") and (x(p) < w / 2) == (side == "left")
            ]
    return [k for k, _ in fits]
