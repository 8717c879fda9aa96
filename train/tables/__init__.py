"""The paper's tables: every row computed, beside the paper's figures."""
