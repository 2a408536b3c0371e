"""Features averaged over Gaussians: quadrature, samples, and what becomes of them at the ends."""

import pytest
import torch
from torch import Tensor, nn

import ntkit
from ntkit.encodings import (
    AbstractFourier,
    Blurred,
    Gaussian,
    Identity,
    Integrated,
    NeRF,
    Sinusoidal,
)
from ntkit.networks import Linear
from tests.cases import layered, randn, seeded
from tests.tolerances import assert_near


def covariance(d: int = 2, seed: int = 3) -> Tensor:
    """A matrix of moderate size with no axis of symmetry."""
    root = 0.1 * randn(d, d, seed=seed)
    return root @ root.T


def by_quadrature(encoding: Gaussian, mean: Tensor, covariance: Tensor, n: int = 12) -> Tensor:
    """The mean of the features over `mean + L z` with Gauss and Hermite's nodes for `z`."""
    jacobi = torch.arange(1, n, dtype=torch.float64).sqrt()
    nodes, vectors = torch.linalg.eigh(torch.diag(jacobi, 1) + torch.diag(jacobi, -1))
    weights = vectors[0] ** 2
    z = torch.cartesian_prod(nodes, nodes)
    w = torch.outer(weights, weights).flatten()
    return w @ encoding(mean + z @ torch.linalg.cholesky(covariance).T)


def test_against_gauss_hermite_quadrature() -> None:
    encoding = Gaussian(2, 6, 1.0, seeded())
    mean, s = randn(2), covariance()
    expected = by_quadrature(encoding, mean, s)
    assert_near(Integrated(encoding)(mean, s), expected, loosen=10)
    assert_near(Blurred(encoding.double(), s)(mean), expected, loosen=10)


def test_samples_come_near_as_the_square_root_of_their_number() -> None:
    """Rate -1/2: root mean square over features and repetitions."""
    encoding, mean, s = Gaussian(2, 32, 3.0, seeded()), randn(2), covariance()
    exact, root = Integrated(encoding)(mean, s), torch.linalg.cholesky(s)
    counts = [64, 512, 4096]
    errors = []
    for n in counts:
        z = randn(16, n, 2, seed=n)
        features = encoding(mean + z @ root.T).mean(1)
        errors.append(float((features - exact).pow(2).mean().sqrt()))
    slope = torch.tensor(errors).log().diff().sum() / torch.tensor(counts).log().diff().sum()
    assert abs(float(slope) + 0.5) < 0.03


def test_no_spread_is_the_plain_encoding() -> None:
    for encoding in (NeRF(3, 6), NeRF(3, 6, include_input=True), Sinusoidal(3, 6)):
        mean = randn(5, 3)
        assert torch.equal(Integrated(encoding)(mean, torch.zeros(5, 3)), encoding(mean))
        assert torch.equal(Integrated(encoding)(mean, torch.zeros(5, 3, 3)), encoding(mean))


def test_to_first_order_it_is_heat_flow() -> None:
    """`E f(x) = f + 1/2 tr(S f'')`: half of the waves' own `-(2 pi b)^2`, as `S` goes to 0."""
    encoding, mean = Gaussian(2, 6, 1.0, seeded()).double(), randn(2)
    tiny = 1e-6
    found = (Integrated(encoding)(mean, torch.full_like(mean, tiny)) - encoding(mean)) / tiny
    laplacian = -((2 * torch.pi * encoding.frequencies) ** 2).sum(1).repeat(2)
    assert_near(found, laplacian / 2 * encoding(mean), loosen=1e8)  # next order: b^2 * tiny


def test_the_same_in_every_direction_depends_on_the_length_of_a_frequency() -> None:
    encoding, mean, v = Gaussian(3, 8, 2.0, seeded()).double(), randn(4, 3), 0.003
    left = torch.exp(-2 * torch.pi**2 * v * encoding.frequencies.pow(2).sum(1)).repeat(2)
    found = Integrated(encoding)(mean, torch.full_like(mean, v))
    assert_near(found, left * encoding(mean))


def test_mip_nerf_by_its_own_formula() -> None:
    """Octave `j` of `sin(2^j pi x)` fades as `exp(-(2^j pi)^2 var / 2)` of its own axis."""
    mean, variance = randn(4, 3), randn(4, 3, seed=1) ** 2 * 0.01
    rates = torch.pi * 2.0 ** torch.arange(5, dtype=torch.float64)
    phase = mean[:, None, :] * rates[:, None]  # [n, octave, axis]
    left = torch.exp(-0.5 * variance[:, None, :] * rates[:, None] ** 2)
    expected = torch.cat([(left * phase.cos()).flatten(1), (left * phase.sin()).flatten(1)], 1)
    assert_near(Integrated(NeRF(3, 5))(mean, variance), expected, loosen=10)


def test_a_diagonal_is_a_matrix() -> None:
    encoding, mean, variance = Gaussian(2, 8, 3.0, seeded()), randn(4, 5, 2), randn(4, 5, 2) ** 2
    integrated = Integrated(encoding)
    assert_near(integrated(mean, variance), integrated(mean, variance.diag_embed()))
    one = integrated(mean, variance[:1, :1])
    assert_near(one, integrated(mean, variance[:1, :1].expand(4, 5, 2)))


def test_two_blurs_are_one_by_the_sum() -> None:
    encoding, x = Gaussian(2, 8, 3.0, seeded()).double(), randn(4, 2)
    a, b = covariance(seed=3), covariance(seed=4)
    assert_near(Blurred(Blurred(encoding, a), b)(x), Blurred(encoding, a + b)(x))
    assert_near(Integrated(Blurred(encoding, a))(x, b.expand(4, 2, 2)), Blurred(encoding, a + b)(x))


def test_a_singular_covariance_never_strengthens_a_wave() -> None:
    direction = randn(50, 2, dtype=torch.float32)
    s = direction[:, :, None] * direction[:, None, :]
    across = torch.stack([-direction[:, 1], direction[:, 0]], 1)  # frequencies that do not see it
    found = Integrated(Blurred(Gaussian(2, 50, 1.0, seeded()), 0.0))
    found.encoding.frequencies.copy_(1e3 * across)
    norm = found(torch.zeros(50, 2), s).norm(dim=1)
    assert float(norm.max()) <= 50**0.5 * (1 + 1e-6)


class Field(nn.Module):
    """A network of Gaussians: means and variances are its two inputs."""

    def __init__(self, encoding: AbstractFourier) -> None:
        super().__init__()
        self.encoding = Integrated(encoding)
        self.head = nn.Sequential(
            Linear(encoding.out_dim, 8, generator=seeded()), nn.ReLU(), Linear(8, 1)
        )

    def forward(self, mean: Tensor, variance: Tensor) -> Tensor:
        """One number a Gaussian."""
        return self.head(self.encoding(mean, variance))


def test_the_kernel_of_a_network_of_two_inputs() -> None:
    field = Field(Gaussian(2, 8, 3.0, seeded()))
    mean, variance = randn(5, 2), 0.01 * randn(5, 2, seed=1) ** 2
    found = ntkit.ntk(field)((mean, variance))
    assert_near(found, ntkit.ntk(field.head)(field.encoding(mean, variance)))


def test_a_blurred_encoding_keeps_the_engine_of_grids() -> None:
    grid = ntkit.Grid((5, 4))
    net = layered(Blurred(Gaussian(2, 8, 3.0, seeded()), 1e-3))
    op = ntkit.gram(ntkit.ntk(net), grid)
    assert "toeplitz" in repr(op)
    assert_near(op.dense(), ntkit.ntk(net)(grid.points()), loosen=100)


@pytest.mark.parametrize("given", [0.01, [0.01, 0.02], torch.tensor([[0.02, 0.01], [0.01, 0.03]])])
def test_ways_to_give_a_footprint(given) -> None:
    encoding, x = Gaussian(2, 8, 1.0, seeded()), randn(4, 2)
    matrix = torch.as_tensor(given, dtype=torch.float64)
    matrix = matrix if matrix.ndim == 2 else matrix.expand(2).diag()
    assert_near(
        Blurred(encoding.double(), given)(x),
        Integrated(encoding)(x, matrix.expand(4, 2, 2)),
    )


def test_footprints_that_are_refused(unchecked: None) -> None:
    encoding = Gaussian(2, 4, 1.0, seeded())
    for bad in ([0.1, 0.1, 0.1], torch.eye(3)):
        with pytest.raises(ValueError, match=r"`covariance` of shape \(3, 3\) does not fit"):
            Blurred(encoding, bad)
    for bad in ([[1.0, 2.0], [2.0, 1.0]], [[1.0, 0.5], [0.0, 1.0]]):
        with pytest.raises(ValueError, match="must be symmetric and positive semi-definite"):
            Blurred(encoding, torch.tensor(bad))
    with pytest.raises(ValueError, match=r"`covariance=-1\.0` must be 0 or more"):
        Blurred(encoding, -1.0)
    for make in (Integrated, lambda e: Blurred(e, 0.1)):
        with pytest.raises(TypeError, match="must be a Fourier encoding, got Identity"):
            make(Identity(2))


@pytest.mark.parametrize("shape", [(2,), (5, 3), (4, 2), (5, 2, 3), (5, 2, 2, 2)])
def test_covariances_that_do_not_fit(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"`covariance` of shape .* does not fit `mean`"):
        Integrated(Gaussian(2, 4, 1.0, seeded()))(torch.zeros(5, 2), torch.zeros(shape))
