"""The mini models' training loop: a killed run ends where an uninterrupted one does."""

import pytest
import torch
from torch import nn

from train.mini import loop

STEPS = 40


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(loop, "WARMUP", 3)
    monkeypatch.setattr(loop, "SAVE_EVERY", 10)


def batches(first):
    for step in range(first, STEPS):
        yield torch.randn(8, 4, generator=torch.Generator().manual_seed(step))


def loss_of(model, batch):
    noisy = batch + 0.1 * torch.randn(8, 4)  # the loop's own randomness must resume too
    return {"loss": (model(noisy) - batch.sum(1, keepdim=True)).square().mean()}


def run(folder, batches=batches, loss_of=loss_of):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    options = {"lr": 1e-2, "weight_decay": 1e-4}
    return loop.train(model, loss_of, batches, STEPS, folder, **options)[0]


def test_a_killed_run_ends_where_an_uninterrupted_one_does(tmp_path):
    whole = run(tmp_path / "whole")

    def killed(first):
        for step, batch in enumerate(batches(first), first):
            if step == 27:
                raise KeyboardInterrupt
            yield batch

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", killed)
    resumed = run(tmp_path / "cut")
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values()):
        assert torch.equal(a, b)


def test_it_learns(tmp_path):
    x = torch.randn(64, 4, generator=torch.Generator().manual_seed(-1))
    torch.manual_seed(0)
    before = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    after = run(tmp_path)
    error = [(m(x) - x.sum(1, keepdim=True)).square().mean().item() for m in (before, after)]
    assert error[1] < error[0]


def test_a_loss_that_is_not_finite_stops_with_its_step(tmp_path):
    def broken(model, batch):
        return {"loss": model(batch).mean() * float("nan")}

    with pytest.raises(RuntimeError, match="step 0: the loss is nan"):
        run(tmp_path, loss_of=broken)
