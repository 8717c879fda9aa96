"""Processes that a test may kill, forked from one that has all imports: they start at once."""

import os
from multiprocessing import get_context

FORKS = get_context("forkserver")
FORKS.set_forkserver_preload(["tests.forks_imports"])


def fork(target, *arguments):
    """A process that runs a function which other modules can import, with these arguments.

    Its environment is that of this one now.
    """
    process = FORKS.Process(target=_run, args=(dict(os.environ), target, arguments))
    process.start()
    return process


def _run(environment, target, arguments):
    os.environ.clear()
    os.environ.update(environment)
    target(*arguments)


def ended(process):
    """Its status once it has ended: 0, or minus the number of the signal that killed it."""
    process.join()
    return process.exitcode
