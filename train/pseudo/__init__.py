"""S1 and S2: stages 1 and 2 over a data set, made, stored, traceable (paper §3.1, §3.2)."""
