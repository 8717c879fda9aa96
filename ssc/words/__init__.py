"""What an expression's words say: its key noun (paper §3.1, step 1) and the vocabulary."""
