"""The paper's tables: methods, baselines, ablations and matching accuracy, on any data set."""
