"""An update in parts: the gradient of the whole, within the memory of a part."""

from types import SimpleNamespace

import pytest
import torch

from ssc.correct.matching import matched_loss
from tests.train import toy
from train.fit.assign import assign
from train.fit.batches import Sampler, inputs
from train.fit.parts import parts_of, pass_in_parts


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
    batch = SimpleNamespace(object_of=[torch.arange(count) for count in counts])
    parts = parts_of((images, rows, rows, image_of), batch, most)
    assert torch.cat([part.arguments[1] for part in parts]).tolist() == rows.tolist()
    assert all(len(part.arguments[1]) <= most for part in parts)
    for part in parts:
        held, own, _, among = part.arguments
        assert torch.equal(held[among, 0], image_of[own])
        assert torch.cat(part.object_of).shape == own.shape
    of_first = [part.object_of[part.pictures.index(0)] for part in parts if 0 in part.pictures]
    assert torch.cat(of_first).tolist() == list(range(counts[0]))
