"""Model sets: their networks, loaded by name, and the command that lists and downloads them."""
