"""Trains the mini LAVT: pixel classes in place of ImageNet, class names in place of BERT's nouns,
then the paper's two steps (§3.3): the first on S2, and again on S2 with spatial guidance; the
second twice, a third time on four times as many pictures, and last with S2 as a prior.

python -m train.pseudo --data refsprites:train:4000 --out runs/pseudo --workers 2
python -m train.pseudo --data refsprites:train:16000 --out runs/wide --workers 2
python -m train.mini lavt --store runs/pseudo --wide-store runs/wide       # all of it
python -m train.mini lavt --pretrain-only              # what needs no pseudo-masks
"""

from __future__ import annotations

import argparse
import copy
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from ssc.correct.lavt import LAVT
from ssc.correct.predict import CONFIGS, Corrector, preprocess
from ssc.metrics import Scores
from ssc.types import InputError
from ssc.vocabulary import COCO_80
from train import fit
from train.data import RefSprites
from train.examples import shrink
from train.mini.card import write_card
from train.mini.loop import train
from train.pseudo import choose_anew
from train.scenes import render
from train.start import new_model, open_examples

SIZE = CONFIGS["mini"]["size"]
LABEL = {name: k for k, name in enumerate(COCO_80, 1)}
BACKGROUND = 0.3  # its weight: most of a picture is background
BATCH = 16
DECODER = 32  # its width here, where it is not kept
LEARNING_RATE = 1.5e-3
PRIOR = 0.5  # what S2's choice counts for in the last round; see train.matching
OTHER_SCENES = 1_000_003  # added to the seed: no scene is in the referring data too
ABOUT = """LAVT (Swin with pixel-word attention, and BERT) of {parameters:.1f} M parameters at
96×128 pixels. Trained from images and grouped expressions alone, by the paper's stage 3: first on
the masks that stages 1 and 2 of this very model set chose (ZSBootstrap), then, beyond the paper,
on those they choose with spatial guidance, then with constrained greedy matching over all
candidates, at last on four times as many pictures and with what stage 2 chose as a prior. No true
mask of a referred object was read. Its visual layers began, where the paper's begin with ImageNet's
weights, with pixel classification on other rendered scenes, and the whole went on, where the
paper's text encoder is BERT, with names of classes there ("dog": the pixels of all dogs). Both do
read class masks: what is a dog's pixel, not which dog. It knows rendered scenes of emoji sprites,
not photographs. Its last five steps ran as two processes (torchrun), which give the same up to
rounding; its loss still falls."""


class PixelClasses(nn.Module):
    """LAVT without words as a classifier of pixels.

    The words' factor in each fusion is 1. The decoder's last layer gives classes instead of
    background and object, and so does one linear layer on each of the three finer maps.
    """

    def __init__(self, lavt: LAVT) -> None:
        super().__init__()
        self.lavt = lavt
        classes = 1 + len(COCO_80)
        lavt.classifier.conv1_1 = nn.Conv2d(lavt.classifier.conv1_1.in_channels, classes, 1)
        norms = (lavt.backbone.get_submodule(f"norm{i}") for i in range(3))
        self.heads = nn.ModuleList(nn.Conv2d(len(norm.weight), classes, 1) for norm in norms)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Logits of float B×3×H×W, float B×81×h×w each: the decoder's, then strides 4, 8, 16."""
        backbone = self.lavt.backbone
        x = backbone.patch_embed(image)
        maps = []
        for i, stage in enumerate(backbone.layers):
            x = stage.blocks(x)
            fused = stage.fusion.project_mm(stage.fusion.vis_project(x.flatten(1, 2)))
            fused = fused.view(x.shape)  # B×hw×C → B×h×w×C
            normed = backbone.get_submodule(f"norm{i}")(fused)
            maps.append(normed.permute(0, 3, 1, 2))  # B×h×w×C → B×C×h×w
            if stage.downsample is not None:
                x = stage.downsample(x + stage.res_gate(fused))
        return [self.lavt.classifier(maps), *(head(m) for head, m in zip(self.heads, maps))]

    def visual_weights(self) -> dict[str, Tensor]:
        """The backbone as learnt, under LAVT's names; not what reads words, nor the decoder."""
        unused = ("classifier.", ".image_lang_att.")
        weights = self.lavt.state_dict()
        return {k: v.contiguous() for k, v in weights.items() if not any(u in k for u in unused)}


def pixel_losses(logits: list[Tensor], classes: Tensor) -> dict[str, Tensor]:
    """Cross-entropy of what `PixelClasses` gives against int64 B×H×W classes."""
    weight = torch.ones(1 + len(COCO_80), device=classes.device)
    weight[0] = BACKGROUND
    losses = {}
    for name, level in zip(("decoder", "stride 4", "stride 8", "stride 16"), logits):
        target = _at_cells(classes, level.shape[2:], corners=name == "decoder")
        losses[name] = F.cross_entropy(level.float(), target, weight) / len(logits)
    return losses


def _at_cells(classes: Tensor, size: torch.Size, corners: bool) -> Tensor:
    """int64 B×H×W to B×h×w: the class at each cell's centre; with `corners` the outer cells sit
    on the outer pixels, as where LAVT scales its logits up."""
    rows, columns = (
        torch.linspace(0, full - 1, cells).round().long()
        if corners
        else ((torch.arange(cells) + 0.5) * full / cells).long()
        for full, cells in zip(classes.shape[1:], size)
    )
    return classes[:, rows.clamp(max=classes.shape[1] - 1)[:, None], columns]


class _Scenes(Dataset):
    """Image uint8 h×w×3 and classes uint8 h×w of a scene, at the model's size."""

    def __init__(self, split: str, count: int, seed: int) -> None:
        self.split, self.count, self.seed = split, count, seed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        scene = render(self.split, i, self.seed)
        labels = np.array([0, *(LABEL[x.sprite.category] for x in scene.instances)], np.uint8)
        h, w = scene.ids.shape
        rows = ((np.arange(SIZE[0]) + 0.5) * h / SIZE[0]).astype(int)
        columns = ((np.arange(SIZE[1]) + 0.5) * w / SIZE[1]).astype(int)
        return shrink(scene.image, SIZE), labels[scene.ids[rows[:, None], columns]]


def _rendered(scenes: _Scenes, file: Path, workers: int) -> np.ndarray:
    """uint8 count×h×w×4 on disk: colours and class; rendered once."""
    shape = (len(scenes), *SIZE, 4)
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        loader = DataLoader(
            scenes, batch_size=None, num_workers=workers, collate_fn=lambda row: row
        )
        with part.open("wb") as out:
            for image, classes in tqdm(loader, desc="rendering", mininterval=5):
                out.write(np.dstack([image, classes]).tobytes())
        os.replace(part, file)
    return np.memmap(file, np.uint8, "r").reshape(shape)


def pretrain(steps: int, count: int, seed: int, runs: Path, workers: int) -> tuple[Path, float]:
    """Pixel classification; returns the file of visual weights and the seconds spent."""
    folder = runs / "lavt-pixels"
    data = _rendered(
        _Scenes("train", count, seed + OTHER_SCENES),
        runs / f"lavt-scenes-{count}-{seed}-{SIZE[0]}x{SIZE[1]}.u8",
        workers,
    )
    torch.manual_seed(seed)
    config = {**CONFIGS["mini"]["lavt"], "decoder_dim": DECODER}
    model = PixelClasses(LAVT(**copy.deepcopy(config)))

    def batches(first: int) -> Iterator[tuple[Tensor, Tensor]]:
        for step in range(first, steps):
            rng = np.random.default_rng([seed, step])
            rows = torch.from_numpy(data[np.sort(rng.choice(count, BATCH, replace=False))])
            flip = torch.from_numpy(rng.random(BATCH) < 0.5)
            rows = torch.where(flip[:, None, None, None], rows.flip(2), rows)
            yield preprocess(rows[..., :3], SIZE), rows[..., 3].long()

    def loss_of(model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        pixels, classes = batch
        with torch.autocast(pixels.device.type, torch.bfloat16):
            logits = model(pixels)
        return pixel_losses(logits, classes)

    average, seconds = train(
        model,
        loss_of,
        batches,
        steps,
        folder,
        lr=LEARNING_RATE,
        weight_decay=0.02,
        decay=0.995,
    )
    save_file(average.visual_weights(), folder / "visual.tmp")
    os.replace(folder / "visual.tmp", folder / "visual.safetensors")
    print(f"pixel classes, {steps} steps, {seconds / 60:.1f} min: {_accuracy(average, seed)}")
    return folder / "visual.safetensors", seconds


@torch.inference_mode()
def _accuracy(model: nn.Module, seed: int, count: int = 60) -> dict[str, float]:
    """Share of the decoder's cells with the right class, on objects and on background."""
    scenes = _Scenes("val", count, seed)
    right = np.zeros(2)
    total = np.zeros(2)
    for i in range(count):
        image, classes = scenes[i]
        logits = model(preprocess(torch.from_numpy(image)[None], SIZE))[0]
        truth = _at_cells(torch.from_numpy(classes)[None].long(), logits.shape[2:], corners=True)
        hit = logits.argmax(1) == truth
        for k, group in enumerate((truth > 0, truth == 0)):
            right[k] += hit[group].sum()
            total[k] += group.sum()
    return {name: round(float(x), 3) for name, x in zip(("objects", "background"), right / total)}


def train_lavt(args: argparse.Namespace) -> None:
    """All steps into `args.out`/lavt; each picks up where it was killed."""
    visual, seconds = pretrain(
        args.pretrain_steps, args.pretrain_scenes, args.seed, args.runs, args.workers
    )
    if args.pretrain_only:
        return
    for data, store in ((args.data, args.store), (args.wide, args.wide_store)):
        if not store or not store.exists():
            raise InputError(f"expected pseudo-masks of {data} by train.pseudo, got {store}")
    guided, wide = args.runs / "spatial", args.runs / "spatial-wide"
    choose_anew(args.store, guided)
    choose_anew(args.wide_store, wide)
    examples = open_examples(args.data, args.store, SIZE, args.runs / "cache", args.workers)
    begin = args.runs / "lavt-begin"
    Corrector.save(begin, *new_model("mini", examples, visual, args.seed))
    scenes = f":{args.pretrain_scenes}:0:{args.seed + OTHER_SCENES}"
    whole = {"--data": "classes:train" + scenes, "--lr": 1e-3, "--expressions": 1}
    names = _fit(args, "supervised", "names", begin, args.names_epochs, 8, **whole)
    s2 = {"--store": args.store}
    boot = _fit(args, "bootstrap", "bootstrap", names, args.bootstrap_epochs, 8, **s2)
    s2 = {"--store": guided}
    boot = _fit(args, "bootstrap", "spatial", boot, args.spatial_epochs, 16, **s2)
    corrected = _fit(args, "correct", "correct", boot, args.correct_epochs, 16, **s2)
    s2["--seed"] = args.seed + 1  # other batches than in the first round
    again = _fit(args, "correct", "again", corrected, args.again_epochs, 16, **s2)
    more = {"--data": args.wide, "--lr": 7e-4}
    s1 = {**more, "--store": wide}
    wider = _fit(args, "correct", "wide", again, args.wide_epochs, 16, **s1)
    both = {**s1, "--lr": 5e-4, "--prior": PRIOR, "--seed": args.seed + 1}
    last = _fit(args, "correct", "prior", wider, args.prior_epochs, 16, **both)
    if args.rows:  # as many updates without matching, and with true masks
        further = args.correct_epochs + args.again_epochs
        wide_further = args.wide_epochs + args.prior_epochs
        plus = _fit(args, "bootstrap", "plus", boot, further, 16, **s2)
        _fit(args, "bootstrap", "plus-wide", plus, wide_further, 16, **s1)
        epochs = args.bootstrap_epochs + args.spatial_epochs + further
        truth = _fit(args, "supervised", "supervised", names, epochs, 16)
        _fit(args, "supervised", "supervised-wide", truth, wide_further, 16, **more)
    steps = args.pretrain_steps
    for step in ("names", "bootstrap", "spatial", "correct", "again", "wide", "prior"):
        state = torch.load(args.runs / f"lavt-{step}" / "state.pt", weights_only=True)
        seconds, steps = seconds + state["seconds"], steps + state["update"]
    publish(last, args.out / "lavt", args, seconds, steps)


def _fit(
    args: argparse.Namespace,
    method: str,
    step: str,
    init: Path,
    epochs: float,
    batch: int,
    **others: Any,
) -> Path:
    """Runs `train.fit`; returns the checkpoint's folder."""
    folder = args.runs / f"lavt-{step}"
    options = {"--data": args.data, "--lr": 5e-4, "--expressions": 2, "--val": args.val}
    options |= {"--init": init, "--out": folder, "--epochs": epochs, "--batch": batch}
    options |= {"--seed": args.seed, "--workers": args.workers, "--cache": args.runs / "cache"}
    options |= others
    if options["--data"].startswith("classes"):
        del options["--val"]
    fit.main([method, *(str(x) for pair in options.items() for x in pair)])
    return folder


def publish(
    source: Path, folder: Path, args: argparse.Namespace, seconds: float, steps: int
) -> None:
    """Stores the checkpoint in half precision, measures it, and writes its card."""
    trained = Corrector.load(source)
    config = fit.open_checkpoint(source)[2]
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    Corrector.save(part, trained.model, trained.tokenizer, config, torch.float16)
    figures = measure(Corrector.load(part), RefSprites("val", args.measure))
    parameters = sum(p.numel() for p in trained.model.parameters()) / 1e6
    write_card(
        part,
        "Mini LAVT",
        ABOUT.format(parameters=parameters),
        trained.model,
        figures,
        seed=args.seed,
        steps=steps,
        seconds=seconds,
    )
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(part, folder)
    print(figures)


def measure(corrector: Corrector, dataset: RefSprites) -> dict[str, float]:
    """oIoU, mIoU and P@0.5 in the pictures' own frame."""
    scores = Scores()
    for i in tqdm(range(len(dataset)), desc="measuring", mininterval=5):
        picture = dataset[i]
        for thing in picture.objects:
            for answer in corrector.predict(picture.image, thing.expressions) > 0.5:
                scores.add(answer, thing.mask)
    return {"mIoU": scores.miou, "oIoU": scores.oiou, "P@0.5": scores.precision(0.5)}
