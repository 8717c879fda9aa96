"""Stage 3: a network trained to read, corrected by the constraints of grouped expressions."""
