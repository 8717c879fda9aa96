"""A tiny configuration in place of swin_b's."""

LAVT_TINY = {
    "embed_dim": 8,
    "depths": (1, 2, 1, 1),
    "num_heads": (1, 2, 2, 4),
    "window_size": 3,
    "num_heads_fusion": (1, 1, 1, 1),
    "language_dim": 16,
}


TRUE_DEPTHS = (2, 2, 18, 2)
"""Of the published checkpoints: with them all names of weights are theirs."""


def tiny_config(vocabulary: int, depths: tuple[int, ...] = LAVT_TINY["depths"]) -> dict:
    """As a value of `CONFIGS`, for so many words."""
    bert = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 8,
        "vocab_size": vocabulary,
    }
    lavt = {**LAVT_TINY, "depths": depths}
    return {"lavt": lavt, "bert": bert, "size": (24, 32), "words": 20}
