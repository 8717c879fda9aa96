"""How every command begins and ends: one line and a status of its own, whatever ends it.

    0     done
    1     done, but for some of several pictures
    2     bad input, or a file that cannot be read or written
    130   interrupted, as by Ctrl-C
    143   asked to end, by SIGTERM

A command that another one runs in the same process lets what ends it through to that one.
"""

from __future__ import annotations

import errno
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, NoReturn, ParamSpec

from ssc.errors import InputError

P = ParamSpec("P")

INTERRUPTED, TERMINATED = 130, 143
FULL = (errno.ENOSPC, errno.EDQUOT)
WITH_PARENT = "SSC_ENDS_WITH_PARENT"
"""Environment variable of processes that end with the one that started them: that one's id."""
LOOK, GRACE = 0.5, 15.0  # seconds between looks for the parent; to end in when it is gone

_running = False  # a command, in this process


class Ended(SystemExit):
    """The end of a command: its status, and the line that was printed."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(status)
        self.line = line

    def __str__(self) -> str:
        return self.line


class Terminated(BaseException):
    """SIGTERM; no Exception, so that what guards a picture's work lets it through."""


def command(goes_on: bool = False) -> Callable[[Callable[P, Any]], Callable[P, Any]]:
    """Makes a function the `main` of a command.

    Args:
        goes_on: whether the same command, given again, goes on where it stopped.

    Returns:
        A decorator. The function then raises `Ended` in place of InputError, OSError,
        KeyboardInterrupt and SIGTERM, after a line on stderr.
    """

    def decorate(main: Callable[P, Any]) -> Callable[P, Any]:
        @functools.wraps(main)
        def run(*args: P.args, **kwargs: P.kwargs) -> Any:
            global _running
            if _running:
                try:
                    return main(*args, **kwargs)
                except (KeyboardInterrupt, Terminated) as error:
                    error.goes_on = goes_on  # type: ignore[union-attr]  # for the one that tells
                    raise
            _running = True
            before = _begin(from_terminal=not (args and args[0] is not None))
            try:
                return main(*args, **kwargs)
            except BrokenPipeError:  # whoever reads the output has ended, such as head
                sys.stdout = open(os.devnull, "w")  # noqa: SIM115
                raise Ended(0, "") from None
            except (InputError, OSError) as error:
                _end(2, line_of(error), error)
            except (KeyboardInterrupt, Terminated) as error:
                on = "; the same command goes on" * getattr(error, "goes_on", goes_on)
                if isinstance(error, Terminated):
                    _end(TERMINATED, f"asked to end{on}", error)
                _end(INTERRUPTED, f"interrupted{on}", error)
            finally:
                _running = False
                if before is not None:
                    signal.signal(signal.SIGTERM, before)

        return run

    return decorate


def expect_interrupt() -> None:
    """Ctrl-C ends this process in one line also while its command's libraries load."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            print("error: interrupted", file=sys.stderr, flush=True)
        else:
            before(kind, error, trace)

    sys.excepthook = hook


def line_of(error: BaseException) -> str:
    """An error as one line, which names the file of an OSError."""
    if isinstance(error, OSError) and not isinstance(error, InputError) and error.strerror:
        names = [os.fsdecode(n) for n in (error.filename, error.filename2) if n is not None]
        remedy = "; make room, and give the same command again" * (error.errno in FULL)
        return ": ".join([*map(str, names), error.strerror + remedy])
    return " ".join(str(error).split()) or type(error).__name__


def end_with_parent() -> None:
    """Ends this process when its parent has ended, however that was: by SIGTERM, then at once.

    Also where it ended before this is called, while this process was loading: `WITH_PARENT` says
    which one it was.
    """
    parent = os.getppid()
    starter = int(os.environ.get(WITH_PARENT, parent))

    def watch() -> NoReturn:
        while os.getppid() == parent and _is_there(starter):
            time.sleep(LOOK)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(TERMINATED)

    threading.Thread(target=watch, daemon=True, name="parent").start()


def _is_there(process: int) -> bool:
    if os.name != "posix":  # where a signal of 0 is none
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True


def _begin(from_terminal: bool) -> Any:
    """Prepares a process; returns the handler of SIGTERM before, None where it stays."""
    for stream in (sys.stdout, sys.stderr):  # whatever it can show: no result is lost to it
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if not from_terminal:
        return None
    if os.environ.get(WITH_PARENT):
        end_with_parent()
    if threading.current_thread() is not threading.main_thread():
        return None
    return signal.signal(signal.SIGTERM, _terminate)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once: what follows must not cut its end short
    raise Terminated


def _end(status: int, line: str, error: BaseException) -> NoReturn:
    signalled = status in (INTERRUPTED, TERMINATED)
    if not (signalled and os.environ.get(WITH_PARENT)):  # that the parent tells
        print(f"error: {line}", file=sys.stderr, flush=True)
    raise Ended(status, f"error: {line}") from error
