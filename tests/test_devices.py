"""Precision and compiled networks; what happens without memory is tested with CLIP."""

import shutil

import pytest
import torch

from ssc import devices
from ssc.devices import autocast_dtype, compile_if_asked, computes_in_bfloat16
from train.fit.options import default_precision
from train.mini.loop import in_half


def tiny():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.GELU()).eval()


@pytest.mark.parametrize("value", [None, "", "0"])
def test_off_by_default(monkeypatch, value):
    if value is None:
        monkeypatch.delenv("SSC_COMPILE", raising=False)
    else:
        monkeypatch.setenv("SSC_COMPILE", value)
    network = tiny()
    compile_if_asked(network)
    assert network._compiled_call_impl is None


@pytest.mark.process
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler here")
def test_a_compiled_network_answers_the_same(monkeypatch):
    monkeypatch.setenv("SSC_COMPILE", "1")
    network, expected = tiny(), tiny()
    names = list(network.state_dict())
    compile_if_asked(network)
    assert network._compiled_call_impl is not None
    assert list(network.state_dict()) == names  # weights load as before
    torch._dynamo.reset()
    with torch.inference_mode():
        for rows in (3, 5, 7):  # any number of prompts
            pixels = torch.randn(rows, 8)
            torch.testing.assert_close(network(pixels), expected(pixels))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] >= 1  # it did run compiled


@pytest.mark.parametrize(
    ("able", "largest", "expected"),
    [
        ({"avx512_bf16": True}, 0, torch.bfloat16),
        ({"avx512_bf16": True}, 1000, torch.float32),
        ({"avx512_bf16": False, "avx2": True}, 0, torch.float32),
        (None, 0, torch.float32),
    ],
)
def test_a_processor_computes_in_bfloat16_where_it_can_and_it_pays(
    monkeypatch, able, largest, expected
):
    if able is None:
        monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    else:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    monkeypatch.setattr(devices, "LARGE", largest)
    assert autocast_dtype(tiny(), torch.device("cpu")) is expected
    # A training does, small or not: its backward passes are what takes the time.
    native = bool(able and able["avx512_bf16"])
    assert computes_in_bfloat16(torch.device("cpu")) is native
    assert default_precision(cpu=True) == ("bf16" if native else "no")
    assert in_half(torch.device("cpu"))._enabled is native
