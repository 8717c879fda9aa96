"""Tiny random CLIPs."""

import torch
from open_clip import get_tokenizer
from open_clip.model import CLIP

from ssc.clip import Clip
from ssc.models.bundled import MEAN, STD

TINY = {
    "embed_dim": 24,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


def tiny(quick_gelu=True):
    torch.manual_seed(0)
    return CLIP(**{**TINY, "quick_gelu": quick_gelu})


def tiny_clip(resnet):
    torch.manual_seed(0)
    vision = (
        {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8}
        if resnet
        else {"image_size": 64, "layers": 4, "width": 64, "patch_size": 16}
    )
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    model = CLIP(embed_dim=24, vision_cfg=vision, text_cfg=text)
    return Clip(model, get_tokenizer("ViT-B-32"), 64, MEAN, STD)
