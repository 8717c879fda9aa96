"""FreeSOLO's network, tiny and random; and the names of its published parameters."""

import torch

from ssc.bench.tiny import TINY_SOLO
from ssc.segment.solo import Solo, SoloConfig

TINY = SoloConfig(**TINY_SOLO)


def tiny_solo():
    torch.manual_seed(0)
    model = Solo(TINY).eval()
    for parameter in (model.cells.category.weight, model.cells.kernel.weight):
        torch.nn.init.normal_(parameter, std=0.5)  # far from the nearly constant first weights
    return model


def published_names(config):
    """Published name → ours, spelled out after detectron2's ResNet and FPN, and AdelaiDet's
    SOLOv2."""
    pairs = {"backbone.bottom_up.stem.conv1.weight": "backbone.body.conv1.weight"}
    frozen = ("weight", "bias", "running_mean", "running_var")
    for leaf in frozen:
        pairs[f"backbone.bottom_up.stem.conv1.norm.{leaf}"] = f"backbone.body.bn1.{leaf}"
    for stage, blocks in enumerate(config.blocks, 1):
        for block in range(blocks):
            theirs = f"backbone.bottom_up.res{stage + 1}.{block}"
            ours = f"backbone.body.layer{stage}.{block}"
            for k in (1, 2, 3):
                pairs[f"{theirs}.conv{k}.weight"] = f"{ours}.conv{k}.weight"
                for leaf in frozen:
                    pairs[f"{theirs}.conv{k}.norm.{leaf}"] = f"{ours}.bn{k}.{leaf}"
            if block == 0:
                pairs[f"{theirs}.shortcut.weight"] = f"{ours}.downsample.0.weight"
                for leaf in frozen:
                    pairs[f"{theirs}.shortcut.norm.{leaf}"] = f"{ours}.downsample.1.{leaf}"
        for leaf in ("weight", "bias"):
            fpn = "backbone.fpn"
            pairs[f"{fpn}_lateral{stage + 1}.{leaf}"] = f"{fpn}.inner_blocks.{stage - 1}.0.{leaf}"
            pairs[f"{fpn}_output{stage + 1}.{leaf}"] = f"{fpn}.layer_blocks.{stage - 1}.0.{leaf}"
    triple = ((0, "weight"), (1, "weight"), (1, "bias"))  # convolution, normalization
    for part, leaf in triple:
        for k in range(config.depth):
            for theirs, ours in (("cate", "category"), ("kernel", "kernel")):
                name = f"ins_head.{theirs}_tower.{3 * k + part}.{leaf}"
                pairs[name] = f"cells.{ours}_tower.{k}.{part}.{leaf}"
        for level, count in enumerate((1, 1, 2, 3)):
            for k in range(count):
                name = f"mask_head.convs_all_levels.{level}.conv{k}.{part}.{leaf}"
                pairs[name] = f"masks.levels.{level}.{k}.{part}.{leaf}"
        pairs[f"mask_head.conv_pred.{part}.{leaf}"] = f"masks.merge.{part}.{leaf}"
    for leaf in ("weight", "bias"):
        pairs[f"ins_head.cate_pred.{leaf}"] = f"cells.category.{leaf}"
        pairs[f"ins_head.kernel_pred.{leaf}"] = f"cells.kernel.{leaf}"
    return pairs


def published_weights(model):
    """As the authors' file holds a network's weights."""
    held = model.state_dict()
    named = {theirs: held[ours].clone() for theirs, ours in published_names(model.config).items()}
    named["ins_head.emb_pred.weight"] = torch.zeros(128, model.config.tower, 3, 3)
    named["ins_head.emb_pred.bias"] = torch.zeros(128)
    return {"model": named, "iteration": 29999}
