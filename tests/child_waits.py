"""Notes its process and waits: what a run starts, for the tests of how it ends."""

import os
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    Path(sys.argv[1]).write_text(str(os.getpid()))
    time.sleep(120)
