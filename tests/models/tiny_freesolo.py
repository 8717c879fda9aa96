"""FreeSOLO's published file in the Hub's layout, of a tiny random network."""

from functools import partial

import torch

from ssc.models.parts import WEIGHTS
from ssc.segment import freesolo, solo
from tests.segment.tiny_solo import TINY, published_weights, tiny_solo


def bring_freesolo(monkeypatch):
    """Puts the file in the cache, and has it read as what it is; returns its network."""
    path = WEIGHTS["freesolo"][0].path
    path.parent.mkdir(parents=True)
    model = tiny_solo()
    torch.save(published_weights(model), path)
    monkeypatch.setattr(solo, "SoloConfig", lambda: TINY)
    small = partial(freesolo.FreeSolo, sides=(64, 96), threshold=0.0)
    monkeypatch.setattr(freesolo, "FreeSolo", small)
    return model
