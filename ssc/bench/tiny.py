"""Configurations of networks of the published kinds, as small as can be."""

from __future__ import annotations

from typing import Any

TINY_BERT: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 40,
}
TINY_SWIN: dict[str, Any] = {
    "embed_dim": 16,
    "depths": [1, 1, 2, 1],
    "num_heads": [1, 2, 4, 8],
    "window_size": 4,
    "out_indices": [2, 3, 4],
}
TINY_DINO: dict[str, Any] = {
    "d_model": 32,
    "num_queries": 20,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
}
TINY_TEXT: dict[str, Any] = {
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 40,
}
TINY_OMDET: dict[str, Any] = {
    "image_size": 64,
    "text_projection_in_dim": 48,
    "text_projection_out_dim": 48,
    "class_embed_dim": 48,
    "task_encoder_hidden_dim": 48,
    "num_queries": 20,
    "encoder_in_channels": [32, 64, 128],
    "vision_features_channels": [32, 32, 32],
    "encoder_hidden_dim": 32,
    "encoder_dim_feedforward": 48,
    "decoder_hidden_dim": 32,
    "decoder_dim_feedforward": 48,
    "decoder_num_layers": 2,
    "apply_layernorm_after_vision_backbone": False,
}
TINY_SAM2: dict[str, Any] = {
    "vision_config": {
        "backbone_config": {
            "model_type": "sam2_hiera_det_model",
            "hidden_size": 8,
            "image_size": [64, 64],
            "blocks_per_stage": [1, 1, 2, 1],
            "embed_dim_per_stage": [8, 16, 32, 64],
            "num_attention_heads_per_stage": [1, 1, 2, 4],
            "window_size_per_stage": [8, 4, 8, 4],
            "global_attention_blocks": [3],
        },
        "backbone_channel_list": [64, 32, 16, 8],
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        "fpn_hidden_size": 32,
    },
    "prompt_encoder_config": {"hidden_size": 32, "image_size": 64},
    "mask_decoder_config": {"hidden_size": 32, "mlp_dim": 48, "iou_head_hidden_dim": 16},
}
TINY_CLIP: dict[str, Any] = {
    "embed_dim": 24,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
TINY_LAVT: dict[str, Any] = {
    "lavt": {
        "embed_dim": 8,
        "depths": (1, 1, 1, 1),
        "num_heads": (1, 1, 2, 2),
        "window_size": 3,
        "num_heads_fusion": (1, 1, 1, 1),
        "language_dim": 32,
    },
    "bert": TINY_BERT,
    "size": (48, 64),
    "words": 20,
}
TINY_SOLO: dict[str, Any] = {
    "blocks": (1, 1, 1, 1),
    "channels": 32,
    "tower": 32,
    "depth": 2,
    "mask": 32,
    "kernel": 32,
    "grids": (6, 5, 4, 3, 2),
}
