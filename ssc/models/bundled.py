"""The bundled mini set: where its files are, and its networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssc.errors import WeightsError

if TYPE_CHECKING:
    from ssc.clip import Clip
    from ssc.pipeline import Pipeline
    from ssc.segment.mini import MiniNetwork


def _find_assets() -> Path:
    """The bundled models and examples: in the package where a wheel put them, else beside it."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "assets"
    return installed if installed.is_dir() else package.parent / "assets"


ASSETS = _find_assets()
MEAN = (0.48145466, 0.4578275, 0.40821073)  # OpenAI CLIP's, RGB
STD = (0.26862954, 0.26130258, 0.27577711)


def build_mini() -> Pipeline:
    """Stages 1 and 2 of the bundled set."""
    from ssc.pipeline import Pipeline
    from ssc.segment import Segment
    from ssc.segment.classes import ClassProjection
    from ssc.segment.detect import MiniDetector
    from ssc.segment.masks import MiniSegmenter
    from ssc.select import Select
    from ssc.words.read import Reader
    from ssc.words.vocabulary import COCO_80

    folder = ASSETS / "mini"
    clip = load_mini_clip(folder / "clip")
    network = load_mini_network(folder / "detector")
    threshold = _read_config(folder / "detector")["threshold"]
    segment = Segment(
        Reader(),
        ClassProjection(clip, COCO_80),
        MiniDetector(network, threshold=threshold),
        MiniSegmenter(network),
    )
    return Pipeline(segment, Select(clip))


def load_mini_network(folder: Path) -> MiniNetwork:
    """The mini detector and segmenter from `config.json` and `model.safetensors`."""
    from ssc.segment.mini import MiniFCOS, MiniNetwork
    from ssc.weights.reading import load_weights
    from ssc.words.vocabulary import COCO_80

    model = MiniFCOS(_read_config(folder)["network"])
    load_weights(model, folder / "model.safetensors")
    return MiniNetwork(model, COCO_80)


def load_mini_clip(folder: Path) -> Clip:
    """The mini CLIP: `config.json` is open_clip's, `merges.txt.gz` its tokenizer's."""
    from open_clip.model import CLIP
    from open_clip.tokenizer import SimpleTokenizer

    from ssc.clip import Clip
    from ssc.weights.reading import load_weights

    config = _read_config(folder)["network"]
    model = CLIP(**config)
    load_weights(model, folder / "model.safetensors")
    merges = folder / "merges.txt.gz"
    if not merges.exists():
        raise WeightsError(f"{merges}: expected the tokenizer's merges, found no such file")
    tokenizer = SimpleTokenizer(str(merges), context_length=config["text_cfg"]["context_length"])
    return Clip(model, tokenizer, config["vision_cfg"]["image_size"], MEAN, STD)


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: expected a model's configuration: {error}") from error
