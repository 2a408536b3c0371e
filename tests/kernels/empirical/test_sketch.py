"""Sketched kernels: the stated error and its rate, the same whatever the blocks, features kept."""

from math import sqrt
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ntkit.kernels import Contraction, FeatureStore, Sketch, Structured, empirical_ntk
from ntkit.kernels.empirical.hashing import add_projection
from tests.cases import randn
from tests.kernels.empirical import oracle
from tests.kernels.empirical.networks import NETWORKS, first, network
from tests.rates import fitted_exponent
from tests.tolerances import assert_near


def projected(v: Tensor, size: int, key: str) -> Tensor:
    total = v.new_zeros(len(v), size)
    add_projection(total, v, key)
    return total


# ------------------------------------------------------------------ the projection


@pytest.mark.parametrize("p", [5, 16, 40, 333])
def test_inner_products_are_unbiased_with_the_stated_variance(p: int) -> None:
    """Over 4,000 projections, to four of their standard errors."""
    v, size, draws = randn(2, p), 16, 4000
    v[1] += 0.5 * v[0]
    found = torch.stack([projected(v, size, str(k)).prod(0).sum() for k in range(draws)])
    exact = v.prod(0).sum()
    bound = (v[0].pow(2).sum() * v[1].pow(2).sum() + exact**2) / size
    assert float((found.mean() - exact).abs()) <= 4 * sqrt(float(bound) / draws)
    assert float(found.var()) <= 1.2 * float(bound)
    if p > 10 * size:  # many blocks: the bound is reached
        assert float(found.var()) >= 0.8 * float(bound)
    if p <= size:  # one block: a rotation of signs
        assert_near(found, exact.expand(draws))


def test_the_projection_is_linear_and_named_by_its_key() -> None:
    v = randn(3, 100)
    assert_near(projected(v, 8, "a").sum(0), projected(v.sum(0, keepdim=True), 8, "a")[0])
    assert torch.equal(projected(v, 8, "a"), projected(v, 8, "a"))
    assert not torch.allclose(projected(v, 8, "a"), projected(v, 8, "b"))
    assert_near(projected(v.float(), 8, "a"), projected(v, 8, "a").float())


def test_long_vectors_are_projected_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs are drawn a few blocks at a time."""
    v = randn(2, 1000)
    monkeypatch.setattr("ntkit.kernels.empirical.hashing._ENTRIES", 64)
    found = torch.stack([projected(v, 32, str(k)).prod(0).sum() for k in range(1000)])
    exact = v.prod(0).sum()
    bound = (v[0].pow(2).sum() * v[1].pow(2).sum() + exact**2) / 32
    assert float((found.mean() - exact).abs()) <= 4 * sqrt(float(bound) / 1000)
    assert 0.8 <= float(found.var() / bound) <= 1.2


# ------------------------------------------------------------------ the kernel


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_its_jacobian_projected(name: str) -> None:
    """Parameter by parameter: with one projection for all outputs, or one for each in the trace."""
    net, x = network(name)
    sizes = [p.numel() for p in net.parameters()]
    j = oracle.jacobian(net, x)
    n, o = j.shape[:2]
    apart, together = j.new_zeros(n, o, 32), j.new_zeros(n, 32)
    for k, part in enumerate(j.split(sizes, 2)):
        for i in range(o):
            add_projection(apart[:, i], part[:, i], f"5 {k}")
            add_projection(together, part[:, i] / sqrt(o), f"5 {k} {i}")
    method = Sketch(32, seed=5)
    assert_near(empirical_ntk(net, "full", method=method).features(x), apart, loosen=10)
    assert_near(empirical_ntk(net, method=method).features(x), together, loosen=10)


@pytest.mark.parametrize("name", ["mlp", "vision transformer", "lstm"])
@pytest.mark.parametrize("outputs", ["trace", "full", -1])
def test_whatever_the_blocks(name: str, outputs: Any) -> None:
    net, x = network(name)
    kernel = empirical_ntk(net, outputs, method=Sketch(32))
    features = kernel.features(x)
    small = empirical_ntk(net, outputs, method=Sketch(32, memory=1))
    assert_near(small.features(x), features, loosen=10)
    assert_near(kernel.features(first(x, 2)), features[:2], loosen=10)
    flat = features if features.ndim == 2 else features.flatten(0, 1)
    inner = flat @ flat.T
    whole, diagonal = kernel(x), kernel.diag(x)
    if outputs == "full":
        whole = whole.transpose(1, 2).flatten(2).flatten(0, 1)
        diagonal = diagonal.diagonal(dim1=1, dim2=2).flatten()
    assert_near(whole, inner)
    assert_near(diagonal, inner.diagonal())
    assert_near(kernel(first(x, 2), x), kernel(x)[:2], loosen=10)


def test_the_error_falls_as_the_root_of_the_size() -> None:
    net = nn.Sequential(nn.Linear(5, 200), nn.Tanh(), nn.Linear(200, 2)).double()
    x = randn(12, 5)
    exact = oracle.trace(net, x)
    sizes, errors = [16, 64, 256], []
    for size in sizes:
        found = [empirical_ntk(net, method=Sketch(size, seed))(x) - exact for seed in range(12)]
        errors.append(float(torch.stack(found).pow(2).mean().sqrt()))
    assert abs(fitted_exponent(sizes, errors) + 0.5) < 0.15


def test_the_exact_features_of_the_other_methods() -> None:
    for name in ("mlp", "gru"):
        net, x = network(name)
        for method in (Structured(), Contraction()):
            features = empirical_ntk(net, method=method).features(x)
            assert_near(features @ features.T, oracle.trace(net, x))
            whole = empirical_ntk(net, "full", method=method).features(x)
            assert_near(whole, oracle.jacobian(net, x))


def test_the_plan_names_what_is_projected() -> None:
    net, x = network("u-net")
    plan = str(empirical_ntk(net, method=Sketch(50)).plan(x))
    assert "Projected onto 50: expected error 0.2" in plan
    assert "up.weight" in plan
    assert "per-sample gradients by vmap, projected" in plan
    assert "the layer's Jacobian, projected" in plan


def test_sizes_must_be_positive() -> None:
    for wrong in ({"size": 0}, {"memory": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Sketch(**wrong)


# ------------------------------------------------------------------ features on disk


def test_features_are_kept_and_appended_to(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    net, x = network("mlp")
    kernel = empirical_ntk(net, method=Sketch(32))
    store = FeatureStore(tmp_path / "kept", kernel)
    with pytest.raises(ValueError, match=r"holds no features yet; `append`"):
        store.features()
    store.append(x[:3])
    FeatureStore(tmp_path / "kept", kernel).append(x[3:])
    assert len(store) == 4
    found = store.features()
    assert_near(found @ found.T, kernel(x))


def test_features_of_another_kernel_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    net, x = network("mlp")
    store = FeatureStore(tmp_path, empirical_ntk(net, method=Sketch(32)))
    store.append(x)
    with pytest.raises(ValueError, match=r"of another kernel: its kernel is .*seed=0"):
        FeatureStore(tmp_path, empirical_ntk(net, method=Sketch(32, seed=1)))
    with torch.no_grad():
        net[0].bias += 1
    with pytest.raises(ValueError, match=r"`kernel` has other weights"):
        store.append(x)
    with pytest.raises(ValueError, match=r"of another kernel: its weights is"):
        FeatureStore(tmp_path, empirical_ntk(net, method=Sketch(32)))
