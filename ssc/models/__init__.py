"""Model sets: their networks, loaded by name, and the command that lists and downloads them."""

PARTS = {
    "detector": "what finds boxes",
    "segmenter": "what makes masks",
    "clip": "stage 2's CLIP",
    "nouns": "what finds key nouns, nltk",
}
"""Part of a set that `load` takes another of → what it does."""
