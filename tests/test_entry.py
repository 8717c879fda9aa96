"""Every command ends in one line and a status of its own, and nothing of it works on."""

import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ssc import entry
from ssc.entry import Ended, Terminated, command, line_of
from ssc.errors import InputError, WriteError

ROOT = Path(__file__).parents[1]
ENDS = {
    InputError("a: expected b,\n got c"): (2, "error: a: expected b, got c"),
    OSError(errno.EROFS, "Read-only file system", "x.png"): (2, "error: x.png: Read-only file"),
    WriteError("y: No space left"): (2, "error: y: No space left"),
    KeyboardInterrupt(): (130, "error: interrupted; the same command goes on"),
    Terminated(): (143, "error: asked to end; the same command goes on"),
}


@pytest.mark.parametrize("error", ENDS, ids=lambda error: type(error).__name__)
def test_each_end_is_one_line_and_a_status(capsys, error):
    @command(goes_on=True)
    def main(argv):
        raise error

    status, line = ENDS[error]
    with pytest.raises(SystemExit, match=re.escape(line)) as end:
        main([])
    assert end.value.code == status
    err = capsys.readouterr().err
    assert err.startswith(line)
    assert err.count("\n") == 1
    assert not entry._running


def test_a_command_within_another_leaves_the_end_to_it(capsys):
    @command()
    def inner(argv=None):
        raise InputError("within")

    @command()
    def outer(argv):
        with pytest.raises(InputError, match="within"):
            inner()
        inner()

    with pytest.raises(Ended):
        outer([])
    assert capsys.readouterr().err == "error: within\n"


def test_a_command_that_goes_on_says_so_through_another(capsys):
    @command(goes_on=True)
    def inner(argv=None):
        raise KeyboardInterrupt

    @command()
    def outer(argv):
        inner()

    with pytest.raises(Ended):
        outer([])
    assert capsys.readouterr().err == "error: interrupted; the same command goes on\n"


def test_what_no_one_expected_keeps_its_traceback():
    @command()
    def main(argv):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main([])


def test_an_error_of_the_system_names_its_file():
    assert line_of(OSError(28, "No space left on device", "a", None, "b")) == (
        "a: b: No space left on device; make room, and give the same command again"
    )
    assert line_of(OSError(2, "No such file", "a")) == "a: No such file"
    assert line_of(OSError("plain")) == "plain"
    assert line_of(OSError()) == "OSError"


def started(code, **options):
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        # As from a terminal: what starts the tests in the background may have it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **options,
    )


WAITS = """
import sys, time
from ssc.entry import command
@command(goes_on=True)
def main(argv=None):
    print("ready", flush=True)
    time.sleep(60)
sys.exit(main())
"""


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_case_25_signals(number):
    with started(WAITS) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert process.returncode == {signal.SIGTERM: 143, signal.SIGINT: 130}[number]
    assert err.count("\n") == 1
    assert err.endswith("the same command goes on\n")


@pytest.mark.process
def test_an_interrupt_while_libraries_load_is_one_line_too():
    """As `python -m train.fit` loads torch, for seconds."""
    code = """
import runpy, sys
class Finder:
    def find_spec(self, name, *_):
        if name == "torch":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Finder())
sys.argv = ["-m", "--help"]
runpy.run_module("train.fit", run_name="__main__", alter_sys=True)
"""
    with started(code) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT  # of which a shell makes 130
    assert err == "error: interrupted\n"


@pytest.mark.process
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_case_19_the_screens_encoding_costs_nothing(encoding):
    code = """
import sys
from ssc.entry import command
@command()
def main(argv=None):
    print("mIoU ± 长")
    raise OSError("é: 长")
main()
"""
    with started(code, env=os.environ | {"PYTHONIOENCODING": encoding}) as process:
        out, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert out.startswith("mIoU ")
    assert "\\u957f" in out
    assert err.startswith("error: ")
    assert "\\u957f" in err


@pytest.mark.process
def test_a_reader_that_has_ended_is_no_error():
    code = """
from ssc.entry import command
@command()
def main(argv=None):
    for _ in range(100000):
        print("line")
main()
"""
    with started(code) as process:
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        process.wait(20)
    assert (process.returncode, err) == (0, "")


@pytest.mark.process
@pytest.mark.skipif(os.name != "posix", reason="processes have parents on POSIX alone")
def test_case_18_a_parent_that_ended_while_its_child_was_loading():
    """Killed, say, while torch was imported: no one else would end the child."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with started(WAITS, env=os.environ | {entry.WITH_PARENT: str(gone.pid)}) as process:
        process.wait(40)
    assert process.returncode in (143, -signal.SIGTERM)
    with started(WAITS, env=os.environ | {entry.WITH_PARENT: str(os.getpid())}) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(3 * entry.LOOK)
        assert process.poll() is None
        process.kill()


CHILD = """
import sys, time, os
from train.run.child import run_child
print(os.getpid(), flush=True)
run_child(["tests.child_waits", sys.argv[1]], [], os.environ)
"""


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_case_18_children_end_with_their_parent_however_it_ends(tmp_path, number):
    note = tmp_path / "child"
    code = CHILD.replace("sys.argv[1]", repr(str(note)))
    with started(code) as process:
        end = time.monotonic() + 60
        while not (note.exists() and note.read_text()) and time.monotonic() < end:
            time.sleep(0.05)
        child = int(note.read_text())
        os.kill(child, 0)
        process.send_signal(number)
        end = time.monotonic() + 30
        while alive(child) and time.monotonic() < end:
            time.sleep(0.1)
        assert not alive(child)


def alive(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
