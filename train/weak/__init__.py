"""The text-supervised systems of Table 1: trained on pictures and sentences, without any mask."""
