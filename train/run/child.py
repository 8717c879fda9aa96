"""Runs a module as `python -m` does, in a process that ends with its parent.

python -m train.run.child MODULE OPTIONS

So do the processes that it starts in turn, such as torchrun's: however a run ends, nothing of it
works on.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence

from ssc.entry import TERMINATED, WITH_PARENT, end_with_parent

PATIENCE = 45  # seconds that torchrun has to end its processes


def run_child(command: Sequence[str], locks: Sequence[int], env: Mapping[str, str]) -> int:
    """Status of `python -m COMMAND`; whatever ends the wait for it ends the child first.

    Args:
        locks: open files that the child holds too.
        env: its environment.
    """
    whole = [sys.executable, "-m", "train.run.child", *command]
    child = subprocess.Popen(whole, pass_fds=locks, env={**env, WITH_PARENT: str(os.getpid())})
    try:
        return child.wait()
    except BaseException:
        child.terminate()
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        raise


if __name__ == "__main__":
    end_with_parent()
    os.environ[WITH_PARENT] = str(os.getpid())  # for those that it starts
    module, *sys.argv[1:] = sys.argv[1:]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except Exception as error:
        if type(error).__name__ != "SignalException":  # torchrun's, after it has ended its own
            raise
        sys.exit(TERMINATED)
