"""Names of the text-supervised systems and their encoders; every command line reads them, so it
imports nothing."""

SYSTEMS = {"tseg": "TSEG", "tris": "TRIS", "gather": "Shatter & Gather"}
"""Method of `train.fit` → title in tables."""
ENCODERS = {"clip-rn50": "RN50-quickgelu", "clip-vit-b-16": "ViT-B-16-quickgelu"}
"""Published image encoder, of `train.fit --visual` → architecture, as open_clip names it."""
