"""The text-supervised systems by name: new, from a checkpoint, and as `train.fit` begins them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ssc.correct.predict import Corrector, ReferringModel, built
from ssc.errors import InputError
from train.weak.encoders import Encoder
from train.weak.gather import Gather
from train.weak.names import SYSTEMS
from train.weak.system import System
from train.weak.tris import TRIS
from train.weak.tseg import TSEG

NETWORKS: dict[str, type[System]] = {"tseg": TSEG, "tris": TRIS, "gather": Gather}
SYSTEM = "system"  # in a checkpoint's config.json: key of `SYSTEMS`; stage 3's have none
ENCODER = "encoder"  # there too: of `ENCODERS`, where LAVT's visual layers are not used


def network(config: dict[str, Any]) -> ReferringModel:
    """The network of a configuration, one of `SYSTEMS` or stage 3's."""
    if SYSTEM not in config:
        return built(config)
    if config[SYSTEM] not in SYSTEMS:
        raise ValueError(f"{SYSTEM}: expected one of {', '.join(SYSTEMS)}, got {config[SYSTEM]!r}")
    return NETWORKS[config[SYSTEM]](config["lavt"], config["bert"], config.get(ENCODER))


def load(folder: str | Path) -> Corrector:
    """A checkpoint of any system, or of stage 3; arguments and errors as `Corrector.load`."""
    return Corrector.load(folder, network)


def begin(
    method: str,
    model: ReferringModel,
    config: dict[str, Any],
    seed: int,
    encoder: str | None = None,
) -> tuple[ReferringModel, dict[str, Any]]:
    """What a training by `method` begins with, of what `--init` or `--model` gave.

    A text-supervised system takes over stage 3's BERT, and its visual layers or a published
    encoder, whose weights are downloaded where they are not here.

    Args:
        encoder: of `ENCODERS`; None for stage 3's visual layers, or what the checkpoint has.

    Raises:
        InputError: the checkpoint is of another system or encoder; or weights are not to be had.
    """
    held = config.get(SYSTEM)
    wanted = method if method in SYSTEMS else None
    if held == wanted:
        if encoder not in (None, config.get(ENCODER)):
            own = config.get(ENCODER, "LAVT's layers")
            raise InputError(f"--visual: expected the checkpoint's, {own}, got {encoder}")
        return model, config
    if held is not None:
        raise InputError(f"init: expected a checkpoint for {method}, got one of {SYSTEMS[held]}")
    assert wanted is not None
    config = config | {SYSTEM: wanted} | ({ENCODER: encoder} if encoder else {})
    torch.manual_seed(seed)  # of what stage 3 has not
    system = network(config)
    system.load_state_dict(model.state_dict(), strict=False)
    if encoder:
        assert isinstance(system, System)
        system.encoder = Encoder(encoder, weights=True)
    return system, config
