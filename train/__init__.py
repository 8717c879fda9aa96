"""Training and evaluation; imports `ssc`, is never imported by it."""

from ssc.processors import share_processors

share_processors()  # before any module here loads torch
