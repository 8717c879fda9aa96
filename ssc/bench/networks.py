"""Randomly initialised networks of the published configurations: as fast, and of no other use."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ssc.bench.tiny import (
    TINY_BERT,
    TINY_CLIP,
    TINY_DINO,
    TINY_LAVT,
    TINY_OMDET,
    TINY_SAM2,
    TINY_SOLO,
    TINY_SWIN,
    TINY_TEXT,
)
from ssc.words.vocabulary import COCO_80

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ssc.clip import Clip
    from ssc.correct import Correct
    from ssc.pipeline import Pipeline
    from ssc.segment.detect import Detector
    from ssc.segment.freesolo import FreeSolo
    from ssc.segment.masks import Segmenter
    from ssc.select import Select

RANDOM = "random weights: times only, no results"

BERT_VOCABULARY = 30522


def random_pipeline(
    name: str, device: torch.device, dtype: torch.dtype, tiny: bool = False
) -> Pipeline:
    """All three stages with random weights, the same at each call.

    Args:
        name: a key of `published.SETS`; stage 3 is Swin-B LAVT.
        device, dtype: as the set's own networks are given.
        tiny: networks of the same kinds, as small as can be.
    """
    import torch

    from ssc.models.published import SETS, Parts
    from ssc.pipeline import Pipeline
    from ssc.segment import Segment
    from ssc.segment.classes import ClassProjection
    from ssc.select import Select
    from ssc.words.nouns import SpacyNouns

    torch.manual_seed(0)
    parts = SETS[name]
    assert isinstance(parts, Parts)
    segment = Segment(
        SpacyNouns(),
        ClassProjection(_clip(parts.projection, device, dtype, tiny), COCO_80),
        _detector(parts.detector, device, dtype, tiny),
        _segmenter(parts.segmenter, device, tiny),
    )
    segment.classes([])  # the vocabulary's embeddings are no part of a question
    select = Select(_clip(parts.selection, device, dtype, tiny))
    return Pipeline(segment, select, random_correct(device, tiny))


def random_correct(device: torch.device, tiny: bool = False) -> Correct:
    """Stage 3: Swin-B LAVT and BERT-base at 480 px, with random weights."""
    from ssc.correct import Correct
    from ssc.correct.predict import CONFIGS, Corrector, ReferringModel
    from ssc.devices import autocast_dtype

    config = TINY_LAVT if tiny else CONFIGS["swin_b"]
    model = ReferringModel(config["lavt"], {**config["bert"], "vocab_size": BERT_VOCABULARY})
    dtype = autocast_dtype(model, device)
    corrector = Corrector(
        model.to(device), _tokenizer(), size=config["size"], words=config["words"], dtype=dtype
    )
    return Correct(corrector)


def select_without_encoder(device: torch.device) -> Select:
    """Stage 2 of the paper set with all but CLIP's two encoders: prompts, pixels, scores."""
    import torch
    from torch import nn

    from ssc.clip import Clip
    from ssc.models.bundled import MEAN, STD
    from ssc.select import Select

    class NoEncoder(nn.Module):
        """A few of the pixels stand in for an embedding."""

        def encode_image(self, pixels: Tensor) -> Tensor:
            return pixels[:, :, ::48, ::48].flatten(1)  # N×3×336×336 → N×147

        def encode_text(self, tokens: Tensor) -> Tensor:
            return torch.ones(len(tokens), 147, device=tokens.device)

    def tokenize(texts: list[str]) -> Tensor:
        return torch.zeros(len(texts), 1)

    return Select(
        Clip(NoEncoder(), tokenize, 336, MEAN, STD, interpolation="bicubic", device=device)
    )


def _clip(name: str, device: torch.device, dtype: torch.dtype, tiny: bool) -> Clip:
    from open_clip.model import CLIP

    from ssc.clip import Clip, build_clip
    from ssc.models.bundled import MEAN, STD
    from ssc.models.loaders import CLIPS

    if not tiny:
        return build_clip(CLIPS[name], device=device, dtype=dtype)
    size = TINY_CLIP["vision_cfg"]["image_size"]
    return Clip(CLIP(**TINY_CLIP), _clip_tokenizer(), size, MEAN, STD, device=device, dtype=dtype)


def _clip_tokenizer() -> Any:
    from open_clip import get_tokenizer

    return get_tokenizer("ViT-B-32")


def _detector(name: str, device: torch.device, dtype: torch.dtype, tiny: bool) -> Detector:
    from ssc.segment.grounding import GroundingDetector, TransformersNetwork
    from ssc.segment.omdet import OmDetDetector

    # Thresholds of 0: a random network finds something, and is not asked a second time.
    if name == "omdet-turbo-tiny":
        model = random_omdet(tiny)
        return OmDetDetector(model, _clip_tokenizer(), device=device, threshold=0.0)
    tokenizer = _tokenizer()
    network = TransformersNetwork(random_dino(tiny), tokenizer, device=device, dtype=dtype)
    return GroundingDetector(network, tokenizer, threshold=0.0, text_threshold=0.0)


def random_dino(tiny: bool) -> Any:
    """Grounding DINO of Swin-T, or a tiny one, with random weights."""
    from transformers import (
        BertConfig,
        GroundingDinoConfig,
        GroundingDinoForObjectDetection,
        SwinConfig,
    )

    if not tiny:
        return GroundingDinoForObjectDetection(GroundingDinoConfig())
    config = GroundingDinoConfig(
        backbone_config=SwinConfig(**TINY_SWIN),
        text_config=BertConfig(**TINY_BERT),
        **TINY_DINO,
    )
    return GroundingDinoForObjectDetection(config)


def random_omdet(tiny: bool) -> Any:
    """OmDet-Turbo of Swin-T, or a tiny one, with random weights."""
    from transformers import (
        CLIPTextConfig,
        OmDetTurboConfig,
        OmDetTurboForObjectDetection,
        SwinConfig,
    )

    if not tiny:
        return OmDetTurboForObjectDetection(OmDetTurboConfig())
    return OmDetTurboForObjectDetection(
        OmDetTurboConfig(
            backbone_config=SwinConfig(**TINY_SWIN, image_size=64),
            text_config=CLIPTextConfig(**TINY_TEXT),
            **TINY_OMDET,
        )
    )


def random_sam2(name: str, tiny: bool) -> Any:
    """SAM 2.1 tiny or EdgeTAM, or tiny ones, with random weights."""
    from transformers import EdgeTamConfig, EdgeTamModel, Sam2Config, Sam2Model

    if name == "edgetam":
        from transformers import AutoConfig

        arguments = {"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]}
        backbone = AutoConfig.for_model(
            "timm_wrapper", architecture="repvit_m1", model_args=arguments
        )
        return EdgeTamModel(EdgeTamConfig(vision_config={"backbone_config": backbone.to_dict()}))
    return Sam2Model(Sam2Config(**TINY_SAM2) if tiny else Sam2Config())


def _segmenter(name: str, device: torch.device, tiny: bool) -> Segmenter:
    from segment_anything import sam_model_registry

    from ssc.devices import autocast_dtype
    from ssc.models.loaders import SAMS
    from ssc.segment.sam import SamSegmenter
    from ssc.segment.sam2 import Sam2Segmenter

    # In the precision that the sets' own are in.
    if name not in SAMS:
        other = random_sam2(name, tiny)
        return Sam2Segmenter(
            other, device=device, dtype=autocast_dtype(other.vision_encoder, device)
        )
    model = _tiny_sam() if tiny else sam_model_registry[SAMS[name]]()
    return SamSegmenter(model, device=device, dtype=autocast_dtype(model.image_encoder, device))


def random_freesolo(device: torch.device, tiny: bool = False) -> FreeSolo:
    """FreeSOLO with random weights; tiny, it sees pictures tiny too."""
    import torch

    from ssc.segment.freesolo import FreeSolo
    from ssc.segment.solo import Solo, SoloConfig

    torch.manual_seed(0)
    if tiny:
        return FreeSolo(Solo(SoloConfig(**TINY_SOLO)), device=device, sides=(64, 96))
    return FreeSolo(Solo(), device=device)


def _tiny_sam(side: int = 64, dim: int = 16) -> Any:
    from segment_anything.modeling import (
        ImageEncoderViT,
        MaskDecoder,
        PromptEncoder,
        Sam,
        TwoWayTransformer,
    )
    from torch.nn import LayerNorm

    encoder = ImageEncoderViT(
        img_size=side,
        patch_size=8,
        embed_dim=16,
        depth=2,
        num_heads=2,
        out_chans=dim,
        norm_layer=partial(LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=3,
        global_attn_indexes=(1,),
    )
    prompts = PromptEncoder(dim, (side // 8, side // 8), (side, side), 8)
    transformer = TwoWayTransformer(2, dim, 2, 32)
    decoder = MaskDecoder(transformer_dim=dim, transformer=transformer, iou_head_hidden_dim=16)
    return Sam(encoder, prompts, decoder)


def _tokenizer() -> Any:
    """BERT's, with its own numbers for what Grounding DINO knows by number, and words made of
    letters: the published vocabulary comes with weights only."""
    from transformers import BertTokenizer

    special = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}
    special |= {".": 1012, "?": 1029}
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = dict.fromkeys(word for name in COCO_80 for word in name.split())
    tokens = [*words, "the", "all", *letters, *(f"##{letter}" for letter in letters)]
    at = {i: word for word, i in special.items()} | dict(enumerate(dict.fromkeys(tokens), 2000))
    return BertTokenizer(vocab={at.get(i, f"[unused{i}]"): i for i in range(BERT_VOCABULARY)})
