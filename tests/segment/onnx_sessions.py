"""Sessions of the ONNX SAM that draw the box they are given."""

from types import SimpleNamespace

import numpy as np


class Encoder:
    def __init__(self):
        self.seen = []

    def get_inputs(self):
        return [SimpleNamespace(name="input")]

    def run(self, _, feeds):
        self.seen.append(feeds["input"])
        return [np.zeros((1, 256, 64, 64), np.float32)]


class Decoder:
    """Marks half of the box at first, all of it where it is given a mask, and a spot far away."""

    def run(self, names, feeds):
        assert names == ["iou_predictions", "low_res_masks"]
        assert feeds["point_labels"].tolist() == [[2, 3, 1]]
        (x0, y0), (x1, y1), centre = feeds["point_coords"][0]
        np.testing.assert_allclose(centre, [(x0 + x1) / 2, (y0 + y1) / 2])
        logits = np.full((1, 1, 256, 256), -8, np.float32)
        xs, ys = round(x0 / 4), round(y0 / 4)
        if not feeds["has_mask_input"][0]:
            assert not feeds["mask_input"].any()
            x1 = (x0 + x1) / 2
        else:
            assert (feeds["mask_input"] > 0).any()
        logits[0, 0, ys : round(y1 / 4), xs : round(x1 / 4)] = 8
        logits[0, 0, :4, :4] = 8
        return [np.array([[1.2]], np.float32), logits]
