"""Reviews: what people decide of S1 and S2, stored beside a store and heeded by training."""
