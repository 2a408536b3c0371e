"""Real training: hand-written steps, one encoding pass, and nothing left behind."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from ntkit import encodings
from ntkit._core.errors import NumericalError
from ntkit.networks import mlp
from ntkit.tasks import Budget, Evaluation, Signal, Trainer, train
from ntkit.tasks.budget import Optimiser
from tests.cases import randn, seeded
from tests.tolerances import assert_near

SIGNAL = Signal(randn(12, 9, 2) / 4, n_axes=2)
N = 6 * 5


def network(seed: int = 0) -> nn.Sequential:
    return mlp(
        encodings.Gaussian(2, 8, 2.0, seeded()), 2, width=16, depth=2, generator=seeded(seed)
    )


def weights(net: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in net.parameters()])


class Whole(nn.Module):
    """Hides that the first module is an encoding, so that every batch is encoded anew."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


@pytest.mark.parametrize("batch_size", [N, 10**6])
def test_full_batches_of_sgd_are_plain_gradient_steps(batch_size: int) -> None:
    net = network()
    twin = deepcopy(net)
    train(net, SIGNAL, Budget("sgd", 0.3, 20, batch_size))
    x = SIGNAL.grid[SIGNAL.measurement.lattice].points().float()
    y = SIGNAL.values[SIGNAL.measurement.lattice].flatten(0, 1).float()
    for _ in range(20):
        parameters = list(twin.parameters())
        for p, g in zip(
            parameters, torch.autograd.grad(((twin(x) - y) ** 2).mean(), parameters), strict=True
        ):
            p.data -= 0.3 * g
    assert_near(weights(net), weights(twin), loosen=10)


@pytest.mark.parametrize("falling", [0.25, 0.5, 1.0])
def test_a_rate_that_falls_falls_evenly_to_0_over_the_last_steps(falling: float) -> None:
    """Each step of gradient descent is as one of a budget of that rate."""
    net = network()
    twin = deepcopy(net)
    train(net, SIGNAL, Budget("sgd", 0.3, 20, N, falling))
    for step in range(20):
        left = (20 - step) / (20 * falling)
        train(twin, SIGNAL, Budget("sgd", 0.3 * min(1.0, left), 1, N))
    assert_near(weights(net), weights(twin), loosen=10)


def test_adam_is_pytorchs() -> None:
    net = network()
    twin = deepcopy(net)
    train(net, SIGNAL, Budget("adam", 1e-3, 15, N))
    x = SIGNAL.grid[SIGNAL.measurement.lattice].points().float()
    y = SIGNAL.values[SIGNAL.measurement.lattice].flatten(0, 1).float()
    optimiser = torch.optim.Adam(twin.parameters(), lr=1e-3)
    for _ in range(15):
        optimiser.zero_grad()
        nn.functional.mse_loss(twin(x), y).backward()
        optimiser.step()
    assert_near(weights(net), weights(twin), loosen=100)  # a division by small gradients


@pytest.mark.parametrize("steps", [2, 40])  # fewer samples than there are, and more
def test_encoding_once_is_encoding_each_batch(steps: int) -> None:
    net = network()
    twin = Whole(deepcopy(net))
    calls: list[int] = []
    net[0].register_forward_hook(lambda _, x, __: calls.append(len(x[0])))
    budget = Budget("sgd", 0.3, steps, 8)
    first = train(net, SIGNAL, budget, generator=seeded(3))
    second = train(twin, SIGNAL, budget, generator=seeded(3))
    assert_near(weights(net), weights(twin), loosen=10)
    assert first[0].held_out == pytest.approx(second[0].held_out, rel=1e-5)
    assert first[0].train == pytest.approx(second[0].train, rel=1e-5)
    if steps == 40:
        assert calls == [N, 12 * 9 - N]  # the training samples once; the others to be judged


@pytest.mark.parametrize("kind", ["window", "tables", "frequencies"])
def test_encodings_that_change_are_not_encoded_once(kind: str) -> None:
    """A window that opens, tables and frequencies that are trained: the same behind another module."""
    window = encodings.CoarseToFine(encodings.NeRF(2, 3))
    first: encodings.AbstractEncoding = {
        "window": window,
        "tables": encodings.HashGrid(2, 2, log2_hashmap_size=4, generator=seeded()),
        "frequencies": encodings.LearnedFourier(window),
    }[kind]
    net = mlp(first, 2, width=8, depth=1, generator=seeded())
    results = []
    for hide in (False, True):
        copy = deepcopy(net)

        def opened(step: int, loss: float, copy: nn.Sequential = copy) -> None:
            if kind == "window":
                copy[0].set_alpha(min(3.0, step / 5))

        opened(0, 0.0)
        budget = Budget("adam", 1e-2, 20, 16)
        train(Whole(copy) if hide else copy, SIGNAL, budget, generator=seeded(3), on_step=opened)
        results.append(weights(copy))
    assert_near(results[0], results[1], loosen=10)
    if kind != "window":
        assert not torch.equal(weights(copy[0]), weights(net[0]))


def test_the_seed_decides() -> None:
    """The same batches from the same generator, others from another, and no global draws."""
    before = torch.random.get_rng_state()
    found = []
    for seed in (0, 0, 1):
        net = network()
        train(net, SIGNAL, Budget("adam", 1e-3, 20, 5), generator=seeded(seed))
        found.append(weights(net))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_evaluations_where_asked_and_what_they_say() -> None:
    net, seen, losses = network(), [], []
    done = train(
        net,
        SIGNAL,
        Budget("adam", 1e-3, 12, N),
        evaluate_at=[3, 7, 12, 50],
        on_step=lambda step, loss: losses.append((step, loss)),
        on_evaluation=seen.append,
    )
    assert [c.step for c in done] == [3, 7, 12]
    assert done == seen
    assert [step for step, _ in losses] == list(range(1, 13))
    # A step reports its loss before it moves: the training error after 3 is the loss of step 4.
    assert done[0].train == pytest.approx(losses[3][1], rel=1e-5)
    assert done[1].train == pytest.approx(losses[7][1], rel=1e-5)
    with torch.no_grad():
        output = net(SIGNAL.grid.points().float()).reshape(12, 9, 2)
    assert done[2].train == pytest.approx(SIGNAL.errors(output)[0], rel=1e-5)
    assert done[2].held_out == pytest.approx(SIGNAL.errors(output)[1], rel=1e-5)


def test_only_the_last_step_is_judged_by_default() -> None:
    done = train(network(), SIGNAL, Budget("sgd", 0.1, 5, N))
    assert [type(c) for c in done] == [Evaluation]
    assert done[0].step == 5
    assert train(network(), SIGNAL, Budget("sgd", 0.1, 5, N), evaluate_at=()) == []


def test_averaged_weights() -> None:
    """Small batches at a constant rate: the average, as defined, is better, and is what is left."""
    net, plain, path = network(), network(), []
    budget = Budget("adam", 1e-2, 300, 3)
    noted = lambda *_: path.append(weights(net).clone())  # noqa: E731
    done = train(net, SIGNAL, budget, average=True, generator=seeded(), on_step=noted)
    last = train(plain, SIGNAL, budget, generator=seeded())
    assert torch.equal(path[-1], weights(plain))  # training itself goes the same way
    share = [21 / (20 + k) for k in range(1, 301)]
    average = path[0]
    for weight, new in zip(share, path, strict=True):
        average = average + weight * (new - average)
    assert_near(weights(net), average, loosen=10)
    assert done[0].averaged
    assert done[0].train < 0.7 * last[0].train


def test_an_interrupted_network_is_left_with_the_weights_that_were_better() -> None:
    def stop(step: int, _: float) -> None:
        if step == 250:
            raise KeyboardInterrupt

    nets = network(), network(), network()
    budget = Budget("adam", 1e-2, 300, 3)
    for net, average in zip(nets[:2], (True, False), strict=True):
        with pytest.raises(KeyboardInterrupt):
            train(
                net,
                SIGNAL,
                budget,
                evaluate_at=[150],
                average=average,
                generator=seeded(),
                on_step=stop,
            )
    train(nets[2], SIGNAL, Budget("adam", 1e-2, 250, 3), average=True, generator=seeded())
    assert_near(weights(nets[0]), weights(nets[2]))
    assert not torch.equal(weights(nets[0]), weights(nets[1]))


def test_weights_that_still_descend_are_left_as_they_are() -> None:
    """Full batches of plain descent: an average lags behind."""
    net, plain = network(), network()
    budget = Budget("sgd", 0.3, 20, N)
    done = train(net, SIGNAL, budget, average=True, evaluate_at=())
    last = train(plain, SIGNAL, budget)
    assert done == []
    assert torch.equal(weights(net), weights(plain))
    assert not last[0].averaged


def test_products_in_bfloat16_are_plain_steps_on_autocast_products() -> None:
    """Weights, gradients and what is judged stay in float32; the loss is that of the rounded products."""
    net = network()
    twin = deepcopy(net)
    train(net, SIGNAL, Budget("sgd", 0.3, 5, N, precision="bfloat16"))
    x = SIGNAL.grid[SIGNAL.measurement.lattice].points().float()
    y = SIGNAL.values[SIGNAL.measurement.lattice].flatten(0, 1).float()
    features = twin[0](x)
    for _ in range(5):
        with torch.autocast("cpu", torch.bfloat16):
            found = twin[1:](features)
        assert found.dtype == torch.bfloat16
        parameters = list(twin.parameters())
        gradients = torch.autograd.grad(((found.float() - y) ** 2).mean(), parameters)
        for p, g in zip(parameters, gradients, strict=True):
            p.data -= 0.3 * g
    assert_near(weights(net), weights(twin), loosen=1e3)
    plain = network()
    train(plain, SIGNAL, Budget("sgd", 0.3, 5, N))
    moved = (weights(plain) - weights(network())).norm()
    assert (
        0 < (weights(net) - weights(plain)).norm() < 0.15 * moved
    )  # 2^-8 of outputs of 1, and targets of 1 / 4


def test_coordinates_do_not_go_into_products_in_bfloat16() -> None:
    budget = Budget(steps=1, precision="bfloat16")
    learned = encodings.LearnedFourier(encodings.Gaussian(2, 8, 2.0, seeded()))
    for first in (encodings.Identity(2), learned):
        with pytest.raises(ValueError, match="`precision='bfloat16'` is of networks that begin"):
            Trainer(mlp(first, 2, width=4, depth=1), SIGNAL, budget)


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("stopped", [1, 7, 19, 20, 40])
def test_a_training_that_goes_on_from_a_state_ends_like_one_that_was_not_stopped(
    optimiser: Optimiser, stopped: int
) -> None:
    """Weights, their average, batches and evaluations, to the last bit."""
    budget, at = Budget(optimiser, 1e-2, 40, 5, falling=0.5), [3, 20, 40]

    class Stop(Exception):
        pass

    def halt(step: int, _: float) -> None:
        if step == stopped:
            raise Stop

    whole, first, second = network(), network(), network(seed=1)
    uninterrupted = train(whole, SIGNAL, budget, evaluate_at=at, average=True, generator=seeded(5))
    trainer = Trainer(first, SIGNAL, budget, average=True, generator=seeded(5))
    with pytest.raises(Stop):
        trainer.run(evaluate_at=at, on_step=halt)
    state = trainer.state()
    resumed = Trainer(second, SIGNAL, budget, average=True)
    resumed.restore(state)
    resumed.run(evaluate_at=at)
    resumed.take_better()
    assert torch.equal(weights(second), weights(whole))
    assert resumed.evaluations == uninterrupted
    assert resumed.step == 40


def test_a_state_is_of_its_moment() -> None:
    trainer = Trainer(network(), SIGNAL, Budget("adam", 1e-2, 10, 5), average=True)
    before = trainer.state()
    kept = {k: v.clone() for k, v in before.items()}
    trainer.run()
    assert all(torch.equal(before[k], kept[k]) for k in kept)


def test_a_state_of_another_network_is_refused() -> None:
    budget = Budget("adam", 1e-2, 10, 5)
    other = mlp(encodings.Gaussian(2, 8, 2.0, seeded()), 2, width=17, depth=2, generator=seeded())
    state = Trainer(other, SIGNAL, budget).state()
    with pytest.raises(ValueError, match="`state` does not belong to this training"):
        Trainer(network(), SIGNAL, budget).restore(state)
    with pytest.raises(ValueError, match="`state` does not belong to this training"):
        Trainer(network(), SIGNAL, budget, average=True).restore(
            Trainer(network(), SIGNAL, budget).state()
        )


@pytest.mark.parametrize("budget", [Budget("sgd", 1e6, 30, N), Budget("adam", 1e30, 30, N)])
def test_divergence_is_called_so(budget: Budget) -> None:
    with pytest.raises(
        NumericalError, match=r"diverged: at step \d+ the loss is .* learning rate below"
    ):
        train(network(), SIGNAL, budget)


@pytest.mark.skipif(not torch.set_flush_denormal(False), reason="not on this processor")
def test_denormal_numbers_are_zero_while_it_runs() -> None:
    """The moments of units that are no longer reached, say."""
    seen = []
    tiny = torch.full((64,), 4e-45)
    train(
        network(),
        SIGNAL,
        Budget("adam", 1e-3, 2, N),
        on_step=lambda *_: seen.append(float(tiny.mul(0.9).max())),
    )
    assert seen == [0, 0]
    assert float(tiny.mul(0.9).max()) > 0


def test_judging_changes_nothing() -> None:
    often, once = network(), network()
    budget = Budget("adam", 1e-3, 12, 5)
    train(often, SIGNAL, budget, evaluate_at=range(1, 13), generator=seeded())
    train(once, SIGNAL, budget, generator=seeded())
    assert torch.equal(weights(often), weights(once))


def test_the_rest_of_the_module_is_left_alone() -> None:
    """Frozen parameters, buffers, the modules themselves and their training flag."""
    net = network()
    net[1].weight.requires_grad_(False)
    net.eval()
    modules, frozen = list(net), net[1].weight.clone()
    frequencies = net[0].frequencies.clone()
    train(net, SIGNAL, Budget("adam", 1e-2, 5, N))
    assert list(net) == modules
    assert not net.training
    assert torch.equal(net[1].weight, frozen)
    assert torch.equal(net[0].frequencies, frequencies)
    assert not torch.equal(net[3].weight, network()[3].weight)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: Budget("rmsprop"), ValueError, "`optimiser='rmsprop'` must be \"adam\" or"),
        (lambda: Budget(lr=0.0), ValueError, "`lr=0.0` must be a finite number above 0"),
        (lambda: Budget(lr=float("nan")), ValueError, "`lr=nan` must be a finite number"),
        (lambda: Budget(steps=0), ValueError, "`steps=0` must be at least 1"),
        (lambda: Budget(steps=1.5), TypeError, "`steps=1.5` must be an int, got float"),
        (lambda: Budget(falling=1.5), ValueError, "`falling=1.5` must be a share of the steps"),
        (lambda: Budget(precision="half"), ValueError, "`precision='half'` must be \"float32\" or"),  # pyright: ignore[reportArgumentType]
        (lambda: Budget(batch_size=-1), ValueError, "`batch_size=-1` must be at least 1"),
    ],
)
def test_errors(unchecked, call, error, match: str) -> None:
    with pytest.raises(error, match=match):
        call()
