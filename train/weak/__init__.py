"""The text-supervised systems of Table 1: trained on pictures and sentences, without any mask.

Each file has the method of its paper in equations, and what is ours. The equations are not checked
line by line against the papers' text, and no code of the authors is used.
"""
