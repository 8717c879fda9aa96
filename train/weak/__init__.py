"""The text-supervised systems of Table 1: trained on pictures and sentences alone.

Each file has the method of its paper in equations, and says what is ours. They are checked against
the papers' abstracts, as the full texts were not to be had. No code of the authors is used.
"""
