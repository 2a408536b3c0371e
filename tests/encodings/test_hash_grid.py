"""The hash grid against a loop over points, levels and corners, and as the linear model that it is."""

import pytest
import torch

import ntkit
from ntkit.encodings import HashGrid
from tests import oracles
from tests.cases import randn, seeded
from tests.tolerances import assert_near, relative_error


def grid(d: int, interpolation: str = "linear", **options: float) -> HashGrid:
    """Levels with and without hash, and entries of the size of one."""
    options = {"log2_hashmap_size": 8, "base_resolution": 3, "per_level_scale": 1.6} | options
    found = HashGrid(d, 6, 2, **options, interpolation=interpolation, generator=seeded(d))
    with torch.no_grad():
        found.tables.mul_(1e4)
    return found


def points(n: int, d: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.rand(n, d, generator=seeded(9), dtype=dtype)


@pytest.mark.parametrize("interpolation", ["linear", "smoothstep"])
@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_against_a_loop(d: int, interpolation: str) -> None:
    encoding, x = grid(d, interpolation), points(7, d)
    x = torch.cat([x, torch.zeros(1, d).double(), torch.ones(1, d).double()])
    assert d == 1 or 0 < encoding.n_dense < 6, "both kinds of levels are to be seen"
    assert_near(encoding(x), oracles.hash_grid(encoding, x), loosen=10)
    single = encoding(x.float())
    assert single.dtype == torch.float32
    assert relative_error(single, oracles.hash_grid(encoding, x.float().double())) < 1e-6


def test_fine_levels_are_exact_in_float32() -> None:
    """Half a million cells a unit: the place in a cell is no number of float32."""
    encoding, x = grid(2, per_level_scale=11.0), points(20, 2, torch.float32)
    assert encoding.n_vertices[-1] > 400_000
    assert relative_error(encoding(x), oracles.hash_grid(encoding, x.double())) < 1e-6


def test_dense_levels_share_nothing() -> None:
    """A vertex each: any values at the vertices are taken on, and a point sees those of its own cell."""
    encoding = HashGrid(2, 1, 1, 10, base_resolution=5)
    n, cells = encoding.n_vertices[0], 4
    assert (encoding.n_dense, len(encoding.tables)) == (1, n * n)
    with torch.no_grad():
        encoding.tables.copy_(torch.arange(n * n, dtype=torch.float32)[:, None])
    at = (torch.arange(1, n - 1).double() - 0.5) / cells  # vertices but those beyond the cube
    y, x = torch.meshgrid(at, at, indexing="ij")
    expected = torch.arange(n * n).reshape(n, n)[1:-1, 1:-1].double()
    assert_near(encoding(torch.stack([x, y], -1))[..., 0], expected)


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_linear_functions_are_interpolated_exactly(d: int) -> None:
    """Dense levels that hold the values of a linear function at their vertices give it everywhere."""
    encoding, slope = HashGrid(d, 1, 1, 20, base_resolution=4).double(), randn(d)
    n, cells = encoding.n_vertices[0], 3
    axes = [torch.arange(n).double()] * d
    vertex = torch.cartesian_prod(*axes).reshape(-1, d).flip(1)  # the first axis runs fastest
    with torch.no_grad():
        encoding.tables.copy_(((vertex - 0.5) / cells @ slope)[:, None])
    x = points(20, d)
    assert_near(encoding(x)[:, 0], x @ slope)


def test_whole_numbers_are_points() -> None:
    x = torch.tensor([[0, 1], [1, 1]])
    assert torch.equal(grid(2)(x), grid(2)(x.float()))


def test_levels_grow_as_asked_for() -> None:
    encoding = HashGrid(3, 4, log2_hashmap_size=14, base_resolution=16, per_level_scale=1.5)
    # 15, 23, 35 and 53 cells a unit, and a vertex on either side of each.
    assert encoding.n_vertices == (17, 25, 37, 55)
    assert (encoding.n_dense, len(encoding.tables)) == (2, 17**3 + 25**3 + 2 * 2**14)
    assert encoding.out_dim == 8
    assert float(encoding.tables.detach().abs().max()) <= 1e-4


@pytest.mark.parametrize("interpolation", ["linear", "smoothstep"])
def test_derivatives(interpolation: str) -> None:
    """Of the points and of the tables, in float64."""
    encoding = HashGrid(2, 2, 1, 4, 2, interpolation=interpolation, generator=seeded()).double()
    assert encoding.n_dense == 1
    x = points(3, 2).requires_grad_()

    def features(x: torch.Tensor, tables: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(encoding, {"tables": tables}, (x,))

    tables = encoding.tables.detach().requires_grad_()
    assert torch.autograd.gradcheck(features, (x, tables))
    assert torch.autograd.gradgradcheck(features, (x, tables))


@pytest.mark.parametrize("interpolation", ["linear", "smoothstep"])
def test_continuous_across_cells(interpolation: str) -> None:
    """And with smoothstep the derivative as well: it is zero at the border of a cell."""
    encoding = HashGrid(1, 1, 1, base_resolution=5, interpolation=interpolation, generator=seeded())
    border, step = (torch.arange(1, 5).double()[:, None] - 0.5) / 4, 1e-9
    below, above = encoding(border - step), encoding(border + step)
    assert float((above - below).detach().abs().max()) < 1e-11
    x = (border + step).requires_grad_()
    (slope,) = torch.autograd.grad(encoding(x).sum(), x)
    assert (float(slope.abs().max()) < 1e-9) == (interpolation == "smoothstep")


def test_outside_is_the_nearest_point_of_the_cube() -> None:
    encoding = grid(2)
    outside, inside = (
        torch.tensor([[-0.5, 0.3], [2.0, 1e30]]),
        torch.tensor([[0.0, 0.3], [1.0, 1.0]]),
    )
    assert torch.equal(encoding(outside), encoding(inside))
    assert encoding(torch.tensor([[float("nan"), 0.5]])).isnan().all()


@pytest.mark.parametrize("d", [1, 2, 3])
def test_its_kernel_is_that_of_a_linear_model(d: int) -> None:
    """`J J^T` of the tables, and it does not move: products of the weights of shared corners."""
    encoding, x = grid(d).double(), points(6, d)
    jacobian = torch.func.jacrev(
        lambda tables: torch.func.functional_call(encoding, {"tables": tables}, (x,))
    )(encoding.tables.detach())
    whole = (
        torch.einsum("nfpq,mfpq->nm", jacobian, jacobian) / encoding.out_dim
    )  # mean over outputs
    kernel = ntkit.empirical_ntk(encoding)
    assert_near(kernel(x), whole, loosen=10)
    with torch.no_grad():
        encoding.tables.add_(1.0)
    assert_near(ntkit.empirical_ntk(encoding)(x), whole, loosen=10)


def test_the_same_seed_gives_the_same_tables() -> None:
    one, other = (HashGrid(2, 2, generator=seeded(3)).tables for _ in range(2))
    assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"in_dim": 5}, r"`in_dim=5` must be 1 to 4"),
        ({"n_levels": 0}, r"`n_levels=0` must be at least 1"),
        ({"log2_hashmap_size": 31}, r"`log2_hashmap_size=31` must be 1 to 30"),
        ({"per_level_scale": 0.5}, r"`per_level_scale=0.5` must be a finite number of at least 1"),
        ({"interpolation": "nearest"}, r"`interpolation='nearest'` must be \"linear\" or"),
        ({"n_levels": 40}, r"`n_levels=40` with .* at most 2\^30 are possible"),
    ],
    ids=str,
)
def test_refusals(options: dict, match: str, unchecked: None) -> None:
    with pytest.raises(ValueError, match=match):
        HashGrid(**{"in_dim": 2, **options})
