"""Jacobians stay within the memory that they are given, as the system counts it."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
import torch
from torch import nn
import ntkit
torch.set_num_threads(1)
budget, kind, call = int(sys.argv[1]) * 2**20, sys.argv[2], sys.argv[3]
if kind == "mlp":
    net, x = nn.Sequential(nn.Linear(64, 512), nn.Tanh(), nn.Linear(512, 512), nn.Tanh(),
        nn.Linear(512, 4)), torch.randn(100, 64)
else:
    net, x = nn.Sequential(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(1024, 256), nn.ReLU(),
        nn.Linear(256, 4)), torch.randn(100, 3, 16, 16)
def run(memory, x):
    kernel = ntkit.empirical_ntk(net, method=ntkit.kernels.empirical.Contraction(memory=memory))
    {"gram": lambda: kernel(x), "diag": lambda: kernel.diag(x),
     "cross": lambda: kernel(x[::2], x[1::2])}[call]()
run(2**20, x[:2])  # what is loaded once
before = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
run(budget, x)
status = open("/proc/self/status").read()  # getrusage would count the parent before the start
peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
print((peak - before) / budget)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("call", ["gram", "diag", "cross"])
@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_the_budget_is_kept(kind: str, call: str) -> None:
    made = subprocess.run(
        [sys.executable, "-c", SCRIPT, "128", kind, call],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    assert float(made.stdout) < 1.5
