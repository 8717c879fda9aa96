"""The lite set's networks, tiny and random."""

from safetensors.torch import save_file

from ssc.models.parts import WEIGHTS
from tests.tiny_clip import TINY


def clip_config():
    """A tiny network that reads as many tokens as PE-Core-S."""
    tiny = {k: v for k, v in TINY.items() if k != "quick_gelu"}
    return {**tiny, "text_cfg": {**TINY["text_cfg"], "context_length": 32}}


def bring_lite(monkeypatch):
    """Files of the lite set's networks, tiny and random, in the cache."""
    import open_clip
    import torch
    from open_clip.model import CustomTextCLIP

    from ssc.bench.networks import random_omdet, random_sam2

    torch.manual_seed(0)
    networks = {
        "omdet-turbo-tiny": random_omdet(tiny=True),
        "sam2.1-tiny": random_sam2("sam2.1-tiny", tiny=True),
    }
    for name, network in networks.items():
        network.save_pretrained(WEIGHTS[name][0].path.parent)
    path = WEIGHTS["pe-core-s"][0].path
    path.parent.mkdir(parents=True)
    save_file(CustomTextCLIP(**clip_config()).state_dict(), path)
    others = open_clip.get_model_config
    monkeypatch.setattr(
        "open_clip.get_model_config",
        lambda name: (
            clip_config() | {"custom_text": True} if name.startswith("PE") else others(name)
        ),
    )
