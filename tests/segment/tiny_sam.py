"""A tiny random SAM."""

from functools import partial

import torch
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)

SIDE, DIM = 64, 16


def tiny_sam():
    torch.manual_seed(0)
    model = Sam(
        ImageEncoderViT(
            img_size=SIDE,
            patch_size=8,
            embed_dim=16,
            depth=2,
            num_heads=2,
            out_chans=DIM,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=3,
            global_attn_indexes=(1,),
        ),
        PromptEncoder(DIM, (SIDE // 8, SIDE // 8), (SIDE, SIDE), 8),
        MaskDecoder(
            transformer_dim=DIM,
            transformer=TwoWayTransformer(2, DIM, 2, 32),
            iou_head_hidden_dim=16,
        ),
    )
    for parameter in model.parameters():  # far from the nearly constant first weights
        torch.nn.init.normal_(parameter, std=0.3)
    return model
