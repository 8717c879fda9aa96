"""Names of the text-supervised systems; it imports nothing, as every command line reads it."""

SYSTEMS = {"tseg": "TSEG", "tris": "TRIS", "gather": "Shatter & Gather"}
"""Method of `train.fit` → title in tables."""
