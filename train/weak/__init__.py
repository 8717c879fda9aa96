"""The text-supervised systems of Table 1: trained on pictures and sentences alone.

Each file has the method of its paper in equations, and what is ours. They are written from what is
known of the methods, not checked against the papers' full text. No code of the authors is used.
"""
