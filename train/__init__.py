"""Training and evaluation; imports `ssc`, is never imported by it."""

import sys

from ssc.entry import expect_interrupt
from ssc.processors import share_processors

share_processors()  # before any module here loads torch
if sys.argv[:1] == ["-m"]:  # python -m train.…, which loads its module after this
    expect_interrupt()
