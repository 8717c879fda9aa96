"""`python -m train`: its commands are listed, and each is there."""

import sys

import pytest

from train import __main__


def test_the_commands_are_listed(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train"])
    assert __main__.main() == 0
    listed = capsys.readouterr().out
    for name in ("run", "data", "pseudo", "fit", "evaluate", "scenes", "mini", "convert", "bench"):
        assert f"\n  {name} " in listed
    monkeypatch.setattr(sys, "argv", ["train", "trian"])
    assert __main__.main() == 2
    assert "expected one of run, plan, data" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["train", "scenes", "--help"])
    with pytest.raises(SystemExit, match="0"):
        __main__.main()
    assert "usage: python -m train scenes" in capsys.readouterr().out
