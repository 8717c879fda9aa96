"""Memory that training's data take, on a small data set."""

from train.fit.examples import Examples
from train.measure import memory


def test_memory_is_measured_on_a_data_set_of_any_size(tmp_path):
    memory.write(tmp_path, 130)
    used = memory.preparing(tmp_path) | memory.training(tmp_path)
    assert used.keys() == memory.ROWS.keys()
    assert all(10 < megabytes < 100_000 for megabytes in used.values())
    [cache] = (path for path in (tmp_path / "cache").iterdir() if path.is_dir())
    assert len(Examples(cache)) == 130
    text = memory.markdown({130: used, 230: {key: value + 1 for key, value in used.items()}})
    assert text.count(" 10000 |") == len(used)  # a megabyte more for a hundred pictures more
