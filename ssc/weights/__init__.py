"""Weights on disk: downloads, files read without running anything of theirs, checkpoint folders."""
