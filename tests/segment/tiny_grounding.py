"""Tiny random Grounding DINOs, in both implementations, and the tokenizer of both."""

from types import SimpleNamespace
from unittest.mock import patch

import torch

WORDS = ["person", "persons", "dog", "hot", "car", "cars", "traffic", "light", "all"]
BERT = {
    "vocab_size": 1100,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 40,
}
SWIN = {"embed_dim": 16, "depths": [1, 1, 2, 1], "num_heads": [1, 2, 4, 8], "window_size": 4}


def tiny_tokenizer():
    """BERT's, with its own numbers for the special tokens and for . and ?."""
    from transformers import BertTokenizer

    vocabulary = {f"[unused{i}]": i for i in range(1100)}
    kept = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103, ".": 1012}
    kept |= {"?": 1029, **{word: 200 + i for i, word in enumerate(WORDS)}}
    kept |= {"##s": 300, "##er": 301, "drink": 302}
    inverse = {i: word for word, i in vocabulary.items()} | {i: word for word, i in kept.items()}
    return BertTokenizer(vocab={word: i for i, word in sorted(inverse.items())})


def tiny_transformers():
    from transformers import (
        BertConfig,
        GroundingDinoConfig,
        GroundingDinoForObjectDetection,
        SwinConfig,
    )

    torch.manual_seed(0)
    config = GroundingDinoConfig(
        backbone_config=SwinConfig(**SWIN, out_indices=[2, 3, 4]),
        text_config=BertConfig(**BERT),
        d_model=256,
        num_queries=20,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=8,
        decoder_attention_heads=8,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
    )
    return GroundingDinoForObjectDetection(config).eval()


def tiny_original(tokenizer, seed=1):
    import groundingdino.models.GroundingDINO.backbone.backbone as theirs
    from groundingdino.models.GroundingDINO.backbone.swin_transformer import SwinTransformer
    from transformers import BertConfig

    from ssc.segment.grounding_original import build_original

    torch.manual_seed(0)

    def small(*_, **__):
        return SwinTransformer(**SWIN, out_indices=(1, 2, 3))

    options = {"hidden_dim": 256, "nheads": 8, "num_queries": 20, "dim_feedforward": 48}
    with patch.object(theirs, "build_swin_transformer", small):
        model = build_original(
            tokenizer, bert=BertConfig(**BERT), **options, enc_layers=2, dec_layers=2
        )
    return shake(model.eval(), seed)


def shake(model, seed=1):
    """Weights far from the first ones, many of which are zero: boxes and words then matter."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in dict.fromkeys(model.parameters()):
            parameter += 0.03 * torch.randn(parameter.shape, generator=generator)
    return model


class Answering:
    """A network that answers from a table: prompt → rows of (box, {token: probability})."""

    def __init__(self, tokenizer, table):
        self.tokenizer, self.table, self.asked = tokenizer, table, []

    def __call__(self, pixels, prompts):
        self.asked.append((tuple(pixels.shape), tuple(prompts)))
        answers = [self._answer(prompt) for prompt in prompts]
        return torch.stack([a[0] for a in answers]), torch.stack([a[1] for a in answers])

    def _answer(self, prompt, queries=5):
        logits = torch.full((queries, 256), -torch.inf)
        logits[:, : len(self.tokenizer(prompt)["input_ids"])] = -9.0
        boxes = torch.full((queries, 4), 0.5)
        for row, (box, tokens) in enumerate(self.table.get(prompt, ())):
            boxes[row] = torch.tensor(box)
            for token, probability in tokens.items():
                logits[row, token] = torch.logit(torch.tensor(probability))
        return SimpleNamespace(a=(logits, boxes)).a
