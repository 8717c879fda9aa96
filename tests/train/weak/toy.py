"""Four pictures of two coloured squares each; every colour is in two of them."""

import numpy as np
import torch

from ssc.correct.predict import preprocess
from tests.train.toy import CONFIG
from train.fit.__main__ import main
from train.fit.tokenizer import learn_tokenizer

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (40, 40, 220), "white": (250,) * 3}
PICTURES = (("red", "green"), ("blue", "white"), ("green", "blue"), ("white", "red"))
PLACES = ((0, 4), (16, 20)), ((20, 0), (4, 20)), ((4, 12), (20, 4)), ((16, 16), (0, 0))
SIDE, FRAME = 12, 32


def pictures():
    """RGB uint8 4×32×32×3, and bool 8×32×32, the squares picture by picture."""
    images = np.full((4, FRAME, FRAME, 3), 110, np.uint8)
    masks = np.zeros((8, FRAME, FRAME), bool)
    for k, (colours, places) in enumerate(zip(PICTURES, PLACES)):
        for j, (colour, (y, x)) in enumerate(zip(colours, places)):
            masks[2 * k + j, y : y + SIDE, x : x + SIDE] = True
            images[k, masks[2 * k + j]] = COLOURS[colour]
    return images, masks


def batch():
    """The arguments of a system, and the masks."""
    images, masks = pictures()
    texts = [f"{colour} square" for own in PICTURES for colour in own]
    tokenizer = learn_tokenizer(texts, 8)
    tokens = tokenizer(texts, padding=True, return_tensors="pt")
    pixels = preprocess(torch.from_numpy(images), (FRAME, FRAME))
    index = torch.arange(4).repeat_interleave(2)
    arguments = pixels, tokens["input_ids"], tokens["attention_mask"], index
    return arguments, torch.from_numpy(masks), len(tokenizer)


class Local(torch.nn.Module):
    """Cells of 4×4 pixels that see their own colour alone: what is found is the training's."""

    def __init__(self, dim):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.AvgPool2d(4),
            torch.nn.Conv2d(3, 32, 1),
            torch.nn.ReLU(),
            torch.nn.Conv2d(32, dim, 1),
        )

    def forward(self, image):
        return self.layers(image).permute(0, 2, 3, 1)  # B×D×h×w → B×h×w×D


def new(system, vocabulary):
    """A system on `Local` in place of LAVT's visual layers."""

    class Small(system):
        def embed(self, image):
            return self.local(image)

    torch.manual_seed(0)
    bert = {**CONFIG["bert"], "vocab_size": vocabulary}
    bert |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    model = Small(CONFIG["lavt"], bert)
    model.local = Local(model.dim)
    return model


def overfit(system, updates, lr=3e-3):
    """Losses of a training on the four pictures, and the IoU of each square found after it."""
    arguments, masks, vocabulary = batch()
    model = new(system, vocabulary).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr)
    losses = []
    for _ in range(updates):
        loss = model(*arguments)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        seen = model.eval()(*arguments).softmax(1)[:, 1]
    found = seen > seen.amax((1, 2), keepdim=True) / 2
    iou = (found & masks).sum((1, 2)) / (found | masks).sum((1, 2))
    return losses, iou


def train(method, data, out, steps, **options):
    """By the command line, from the stage 3 of the fixture `data`; `more` are further words."""
    words = [method, "--data", data / "data.jsonl", "--init", data / "begin", "--out", out]
    words += ["--steps", steps, "--batch", 4, "--cache", data / "cache", "--workers", 0]
    words += ["--cpu", "--precision", "no", "--warmup", 0, *options.get("more", ())]
    main([str(word) for word in words])
