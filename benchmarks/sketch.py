"""A sketch of the tangent kernel of a 124-million-parameter language model, against the exact one.

GPT-2's shape (12 layers of width 768, 12 heads, 50,257 words tied to the head; 64 positions) out of
`nn.TransformerEncoderLayer` with a causal mask, random weights, float32. The output is the mean log
probability of the next word, one number a sequence; 16 sequences of 64 random words. The exact kernel is
the product of the gradients of single samples, one backward pass each, summed in float64. The error of
an entry is relative to `sqrt(k(x, x) k(x', x'))`; the theory of it is a standard deviation of
`sqrt((1 + c^2) / 4096)`, `c` the cosine of the two gradients. The
root mean square is over the entries on and above the diagonal, which share one projection: it scatters
about the theory by tens of per cent. Memory is the highest resident size of a process, with everything
that it loads.
"""

import time

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.memory import measured
from benchmarks.report import Row
from ntkit.kernels import Sketch, empirical_ntk

SIZE = 4096


class GPT(nn.Module):
    """The mean log probability of each next word."""

    def __init__(self, words: int = 50257, width: int = 768, depth: int = 12) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.positions = nn.Parameter(torch.empty(64, width))
        layers = [
            nn.TransformerEncoderLayer(
                width, 12, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(depth)
        ]
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(width)
        for p in self.parameters():
            if p.ndim > 1:
                nn.init.normal_(p, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        x = self.words(tokens) + self.positions
        for layer in self.layers:
            x = layer(x, src_mask=mask)
        logits = functional.linear(self.norm(x), self.words.weight)[:, :-1]
        found = logits.log_softmax(-1).gather(2, tokens[:, 1:, None])
        return found.mean((1, 2))[:, None]


def case() -> tuple[GPT, Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return GPT().eval(), torch.randint(50257, (16, 64))


def sketched() -> list:
    net, x = case()
    kernel = empirical_ntk(net, method=Sketch(SIZE))
    start = time.perf_counter()
    found = kernel(x)
    size = sum(p.numel() for p in net.parameters())
    return [found.tolist(), time.perf_counter() - start, size]


def exact() -> list:
    net, x = case()
    start = time.perf_counter()
    parameters = list(net.parameters())
    rows = torch.empty(len(x), sum(p.numel() for p in parameters))
    for row, tokens in zip(rows, x, strict=True):
        gradients = torch.autograd.grad(net(tokens[None]).sum(), parameters)
        torch.cat([g.flatten() for g in gradients], out=row)
    found = sum(part.double() @ part.double().T for part in rows.split(2**20, dim=1))
    return [found.tolist(), time.perf_counter() - start]


def measure() -> list[Row]:
    peak, (rows, seconds, size) = measured("benchmarks.sketch", "sketched")
    whole_peak, (whole, whole_seconds) = measured("benchmarks.sketch", "exact")
    found, k = (torch.tensor(t, dtype=torch.float64) for t in (rows, whole))
    norms = k.diagonal().sqrt()
    cosine = k / norms.outer(norms)
    upper = torch.triu(torch.ones_like(k)).bool()
    error = ((found - k) / norms.outer(norms))[upper]
    theory = ((1 + cosine**2) / SIZE)[upper].mean().sqrt()
    rms = float(error.pow(2).mean().sqrt())
    same = ((found - k).diagonal() / k.diagonal()).pow(2).mean().sqrt()
    return [
        Row("parameters", size),
        Row("memory of the sketch", peak / 2**30, "GiB", at_most=12),
        Row("time of the sketch", seconds, "s"),
        Row("memory of the exact kernel", whole_peak / 2**30, "GiB"),
        Row("time of the exact kernel", whole_seconds, "s"),
        Row("mean cosine of two gradients", float(cosine[upper].mean())),
        Row("error of an entry, root mean square", rms),
        Row("the same in theory", float(theory)),
        Row("error over the theory", rms / float(theory), at_most=2),
        Row("error of the diagonal relative to itself", float(same)),
        Row("the same in theory, sqrt(2 / 4096)", Sketch(SIZE).expected_error),
        Row("relative error in the Frobenius norm", float((found - k).norm() / k.norm())),
    ]
