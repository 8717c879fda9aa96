"""Training and evaluation; imports `ssc`, is never imported by it."""
