"""`python -m train scenes export`: what is written is read again as it was."""

import numpy as np
import pytest

from tests.train.slice_pictures import pictures
from train.data import RefSprites, open_dataset
from train.data import scenes as __main__
from train.data.export import export
from train.scenes.sprites import FONT


def same(picture, known, masks):
    assert picture.name == known.name
    assert (picture.image == known.image).all()
    assert [o.name for o in picture.objects] == [o.name for o in known.objects]
    assert [o.expressions for o in picture.objects] == [o.expressions for o in known.objects]
    assert [o.kinds for o in picture.objects] == [o.kinds for o in known.objects]
    for thing, other in zip(picture.objects, known.objects):
        assert (thing.mask is not None) == masks
        assert not masks or (thing.mask == other.mask).all()


@pytest.mark.parametrize("masks", [False, True])
def test_what_is_written_is_read_again(tmp_path, masks):
    file = export(pictures(3), tmp_path / "new" / "toys.jsonl", masks)
    data = open_dataset(str(file))
    assert len(data) == 3
    for k, known in enumerate(pictures(3)):
        same(data[k], known, masks)
    assert all(path.suffix in (".png", ".jsonl") for path in file.parent.iterdir())


def test_no_file_where_it_ends_early(tmp_path):
    def broken():
        yield next(pictures(1))
        raise RuntimeError("full")

    with pytest.raises(RuntimeError, match="full"):
        export(broken(), tmp_path / "toys.jsonl")
    assert not (tmp_path / "toys.jsonl").exists()


def test_a_picture_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "toys-000000.png").mkdir()
    with pytest.raises(OSError, match=r"toys-000000\.png: cannot be written"):
        export(pictures(1), tmp_path / "toys.jsonl")


def test_a_folder_is_for_export_only(tmp_path, capsys):
    for command in (["export"], ["speed", str(tmp_path)]):
        with pytest.raises(SystemExit):
            __main__.main(command)
        assert "expected a folder with export" in capsys.readouterr().err


@pytest.mark.skipif(not FONT.exists(), reason=f"{FONT} is not installed")
def test_the_command(tmp_path, capsys):
    command = ["export", str(tmp_path), "--split", "val", "--count", "2", "--seed", "5", "--masks"]
    __main__.main(command)
    data = open_dataset(str(tmp_path / "val.jsonl"))
    for k in range(2):
        known = RefSprites("val", 2, seed=5)[k]
        same(data[k], known, masks=True)
        assert np.array([o.mask.any() for o in data[k].objects]).all()
    assert "val.jsonl" in capsys.readouterr().out
