"""Trains the bundled mini models on RefSprites."""
