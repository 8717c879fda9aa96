"""An update in parts: the gradient of the whole, within the memory of a part."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from ssc.correct.matching import matched_loss
from ssc.correct.predict import CONFIGS
from tests.train import toy
from train.fit import parts
from train.fit.assign import assign
from train.fit.batches import Sampler, inputs
from train.fit.parts import most_of, parts_of, pass_in_parts

ROOT = Path(__file__).parents[3]
METHODS = ("bootstrap", "correct")


@pytest.fixture(scope="module")
def update(tmp_path_factory):
    model, config = toy.model(dropout=0.0)
    model.eval()  # its normalisations then see no batch
    found = toy.examples(tmp_path_factory.mktemp("cache"), pictures=5)
    batch = Sampler(found, batch=5).batch(0)
    arguments = inputs(batch, toy.tokenizer(), config, torch.device("cpu"))
    return model, batch, arguments


def gradient(model):
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


@pytest.mark.parametrize("method", ["bootstrap", "correct"])
@pytest.mark.parametrize("most", [1, 3, 7, 20, 100])
def test_case_21_the_same_gradient_in_parts(update, method, most):
    model, batch, arguments = update

    def matched(logits):
        return assign(method, "greedy", 0.0, batch, logits)

    model.zero_grad(set_to_none=True)
    logits = model(*arguments)
    chosen = matched(logits)
    loss = matched_loss(logits, batch.masks, batch.object_of, chosen)
    loss.backward()
    whole = gradient(model)

    model.zero_grad(set_to_none=True)
    added, again = pass_in_parts(
        model, arguments, batch, matched, lambda part: part.backward(), most
    )
    assert all(map(torch.equal, again, chosen))
    torch.testing.assert_close(added, loss.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient(model), whole, rtol=1e-3, atol=1e-6)
    assert not model.training


@pytest.mark.parametrize("counts", [[1], [3, 1, 4], [9, 2, 2, 7]])
@pytest.mark.parametrize("most", [1, 2, 5, 50])
def test_each_expression_is_in_one_part_with_its_picture(counts, most):
    total = sum(counts)
    image_of = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    images = torch.arange(len(counts))[:, None]
    rows = torch.arange(total)
    batch = SimpleNamespace(object_of=[torch.arange(count) for count in counts], largest=total)
    cut = parts_of((images, rows, rows, image_of), batch, most)
    assert sum(part.share for part in cut) == pytest.approx(1)
    assert torch.cat([part.arguments[1] for part in cut]).tolist() == rows.tolist()
    assert all(len(part.arguments[1]) <= most for part in cut)
    for part in cut:
        held, own, _, among = part.arguments
        assert torch.equal(held[among, 0], image_of[own])
        assert torch.cat(part.object_of).shape == own.shape
    of_first = [part.object_of[part.pictures.index(0)] for part in cut if 0 in part.pictures]
    assert torch.cat(of_first).tolist() == list(range(counts[0]))


def test_a_process_with_little_makes_as_many_passes_as_the_one_with_most():
    batch = SimpleNamespace(object_of=[torch.arange(2)], largest=9)
    rows = torch.arange(2)
    cut = parts_of((torch.zeros(1, 1), rows, rows, torch.zeros(2, dtype=torch.long)), batch, 2)
    assert len(cut) == 5
    assert sorted(part.share for part in cut) == [0, 0, 0, 0.5, 0.5]
    assert [len(part.arguments[1]) for part in cut] == [1] * 5
    assert sorted({int(part.arguments[1]) for part in cut if part.share}) == [0, 1]


@pytest.mark.parametrize(("model", "most"), [("nano", 512), ("mini", 512), ("swin_b", 33)])
def test_a_large_network_has_fewer_expressions_a_pass(model, most):
    config = CONFIGS[model]
    assert most_of(config) == most
    h, w = config["size"]
    assert most_of({**config, "size": (8 * h, 8 * w)}) < most


@pytest.mark.process
def test_the_same_gradient_in_parts_of_two_processes(tmp_path):
    """And a training goes through, whose normalisations wait for each other in each pass."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc_per_node", "2", __file__, str(tmp_path)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(command, env=env, stderr=subprocess.PIPE, text=True, timeout=500)
    assert run.returncode == 0, run.stderr[-3000:]
    AcceleratorState._reset_state(reset_partial_state=True)
    for method in METHODS:
        matched = method == "correct"  # by a pass before the one that learns
        parts = torch.load(tmp_path / method, weights_only=True)
        whole = measured(method, tmp_path, most=100)
        assert (whole["passes"], parts["passes"]) == (1 + matched, 4 * (1 + matched))
        torch.testing.assert_close(parts["gradient"], whole["gradient"], rtol=1e-3, atol=1e-6)
        assert whole["gradient"].abs().max() > 1e-3
    assert (tmp_path / "out" / "model.safetensors").exists()


def measured(method, folder, most):
    """The gradient of an update, of this process or of two whose batches are uneven."""
    accelerator = Accelerator(cpu=True)
    with accelerator.main_process_first():
        found = toy.examples(folder / "cache", pictures=8)
    network, config = toy.model(dropout=0.0)
    model = accelerator.prepare(network).eval()
    count = accelerator.num_processes
    passes = []
    network.register_forward_hook(lambda *_: passes.append(1))
    batch = Uneven(found, batch=8, parts=count, processes=count).batch(0, accelerator.process_index)
    pass_in_parts(
        model,
        inputs(batch, toy.tokenizer(), config, accelerator.device),
        batch,
        (lambda logits: assign(method, "greedy", 0.0, batch, logits))
        if method == "correct"
        else None,
        lambda loss: accelerator.backward(loss * batch.share * count),
        most,
        lambda: accelerator.no_sync(model),
    )
    return {"gradient": gradient(network), "passes": len(passes)}


class Uneven(Sampler):
    """One expression of each object of the first four pictures, all of the others'."""

    def _draw(self, position):
        example, texts = super()._draw(position)
        return example, [own[: 1 if position < 4 else None] for own in texts]

    def _count(self, position):
        return sum(map(len, self._draw(position)[1]))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    for method in METHODS:
        found = measured(method, folder, most=4)
        if Accelerator(cpu=True).is_main_process:
            torch.save(found, folder / method)
    parts.MOST = 4
    toy.train("correct", folder / "out", 3, folder / "cache", pictures=8)
