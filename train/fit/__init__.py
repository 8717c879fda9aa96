"""Stage 3: the training loop, matching, batches and checkpoints (paper §3.3)."""
