"""The peer's side of `examples/from_neural_tangents`: its cookbook on small fixed data, and what it gives.

Run by the peer's own Python (neural-tangents 0.6.5 with jax 0.4.25), from the repository's root:

    python benchmarks/peer_cookbook.py tests/migration/data/cookbook.npz
"""

import sys

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp  # noqa: E402
import neural_tangents as nt  # noqa: E402
import numpy as np  # noqa: E402
from jax.example_libraries import optimizers  # noqa: E402
from jax.nn import log_softmax  # noqa: E402
from neural_tangents import stax  # noqa: E402

G = np.random.default_rng(20)
FOUND = {}


def one_hot(labels, count):
    return np.eye(count)[labels] - 1 / count


def put(name, **values):
    FOUND.update({f"{name}/{key}": np.asarray(value) for key, value in values.items()})


def infinite_fcn():
    x, other = G.normal(size=(20, 12)), G.normal(size=(10, 12))
    y = one_hot(G.integers(3, size=20), 3)
    _, _, kernel = stax.serial(stax.Dense(1, 2.0, 0.05), stax.Relu(), stax.Dense(1, 2.0, 0.05))
    predict = nt.predict.gradient_descent_mse_ensemble(
        nt.batch(kernel, device_count=0, batch_size=10), x, y, diag_reg=1e-3
    )
    nngp, ntk = predict(x_test=other)
    put("infinite_fcn", x=x, y=y, other=other, nngp=nngp, ntk=ntk)


def infinite_cnn():
    x, other = G.normal(size=(8, 6, 6, 3)), G.normal(size=(4, 6, 6, 3))
    y = one_hot(G.integers(10, size=8), 10)
    _, _, kernel = stax.serial(
        stax.Conv(1, (3, 3), W_std=1.4, b_std=0.1),
        stax.Relu(),
        stax.Conv(1, (3, 3), W_std=1.4, b_std=0.1),
        stax.Relu(),
        stax.Flatten(),
        stax.Dense(1, 1.4, 0.1),
    )
    predict = nt.predict.gradient_descent_mse_ensemble(kernel, x, y, diag_reg=1e-4)
    nngp, ntk = predict(x_test=other)
    channels_first = {"x": x.transpose(0, 3, 1, 2), "other": other.transpose(0, 3, 1, 2)}
    put("infinite_cnn", **channels_first, y=y, nngp=nngp, ntk=ntk)


def finite(inputs, width, outputs):
    """A network of one hidden layer, `[W, b, W, b]` drawn by numpy, and what training starts from."""
    _, f, _ = stax.serial(stax.Dense(width, 1.0, 0.05), stax.Erf(), stax.Dense(outputs, 1.0, 0.05))
    shapes = (inputs, width), (1, width), (width, outputs), (1, outputs)
    W0, b0, W1, b1 = (G.normal(size=shape) for shape in shapes)
    weights = {"W0": W0, "b0": b0[0], "W1": W1, "b1": b1[0]}
    return f, [(W0, b0), (), (W1, b1)], weights


def weight_space():
    x, y = G.normal(size=(24, 8)), np.eye(3)[G.integers(3, size=24)]
    f, start, weights = finite(8, 32, 3)
    linear = nt.linearize(f, start)

    def train(f):
        def loss(params, x, y):
            return -jnp.mean(log_softmax(f(params, x)) * y)

        init, update, read = optimizers.momentum(1.0, 0.9)
        state, losses = init(start), []
        for step in range(12):
            rows = slice(8 * (step % 3), 8 * (step % 3) + 8)
            state = update(step, jax.grad(loss)(read(state), x[rows], y[rows]), state)
            losses.append(loss(read(state), x, y))
        return losses

    put("weight_space", **weights, x=x, y=y, loss=train(f), linear=train(linear))


def function_space():
    x, other = G.normal(size=(12, 8)), G.normal(size=(6, 8))
    y = np.eye(3)[G.integers(3, size=12)]
    f, start, weights = finite(8, 64, 3)
    ntk = nt.batch(nt.empirical_ntk_fn(f, vmap_axes=0), batch_size=6, device_count=0)
    k, cross = ntk(x, None, start), ntk(other, x, start)
    times = jnp.array([0.0, 10.0, 100.0, 1000.0])
    fx, fo = f(start, x), f(start, other)
    squares = nt.predict.gradient_descent_mse(k, y)(times, fx, fo, cross)
    put("function_space", **weights, x=x, y=y, other=other, times=times)
    put("function_space", squares_train=squares[0], squares_test=squares[1])

    def cross_entropy(fx, y):
        return -jnp.mean(log_softmax(fx) * y)

    other_loss = nt.predict.gradient_descent(cross_entropy, k, y, learning_rate=1.0)
    found = other_loss(times, fx, fo, cross)
    put("function_space", entropy_train=found[0], entropy_test=found[1])

    def half_squares(fx, y):
        return 0.5 * jnp.mean((fx - y) ** 2)

    heavy = nt.predict.gradient_descent(half_squares, k, y, learning_rate=0.1, momentum=0.9)
    found = heavy(times, fx, fo, cross)
    put("function_space", heavy_train=found[0], heavy_test=found[1])


def empirical_ntk():
    x, other = G.normal(size=(2, 5, 5, 3)), G.normal(size=(3, 5, 5, 3))
    _, f, _ = stax.serial(
        stax.Conv(4, (3, 3)), stax.Relu(), stax.Conv(4, (3, 3)), stax.Flatten(), stax.Dense(5)
    )
    shapes = (3, 3, 3, 4), (3, 3, 4, 4), (4, 5)
    W0, W1, W2 = (G.normal(size=shape) for shape in shapes)
    put("empirical_ntk", W0=W0.transpose(3, 2, 0, 1), W1=W1.transpose(3, 2, 0, 1), W2=W2.T)
    params = [(jnp.asarray(W0), None), (), (jnp.asarray(W1), None), (), (jnp.asarray(W2), None)]
    ways = ("JACOBIAN_CONTRACTION", "NTK_VECTOR_PRODUCTS", "STRUCTURED_DERIVATIVES")
    found = []
    for way in ways:
        kernel = nt.empirical_ntk_fn(
            f, trace_axes=(), vmap_axes=0, implementation=nt.NtkImplementation[way]
        )
        found.append(kernel(other, x, params))
    assert max(np.abs(k - found[0]).max() for k in found) < 1e-10
    nngp = nt.empirical_nngp_fn(f, trace_axes=())(other, x, params)
    channels_first = {"x": x.transpose(0, 3, 1, 2), "other": other.transpose(0, 3, 1, 2)}
    put("empirical_ntk", **channels_first, ntk=found[0], nngp=nngp)


def bayesian_inference():
    x = G.uniform(-np.pi, np.pi, size=(5, 1))
    y = np.sin(x) + 0.1 * G.normal(size=(5, 1))
    other = np.linspace(-np.pi, np.pi, 12)[:, None]
    layers = [stax.Dense(512, 1.5, 0.05), stax.Erf()] * 2 + [stax.Dense(1, 1.5, 0.05)]
    _, _, kernel = stax.serial(*layers)
    predict = nt.predict.gradient_descent_mse_ensemble(kernel, x, y, diag_reg=1e-4)
    times = jnp.array([1.0, 10.0, 100.0, 1000.0])
    put("bayesian_inference", x=x, y=y, other=other, times=times, prior=kernel(other, None, "nngp"))
    for get in ("nngp", "ntk"):
        mean, covariance = predict(x_test=other, get=get, compute_cov=True)
        put("bayesian_inference", **{f"{get}_mean": mean, f"{get}_covariance": covariance})
    mean, covariance = predict(t=times, x_test=other, get="ntk", compute_cov=True)
    put("bayesian_inference", early_mean=mean, early_covariance=covariance)
    on_train = predict(t=times, x_test=x, get="ntk", compute_cov=True)
    variance = jnp.diagonal(on_train.covariance, axis1=1, axis2=2)
    loss = 0.5 * jnp.mean((on_train.mean[..., 0] - y[:, 0]) ** 2 + variance, axis=1)
    put("bayesian_inference", train_loss=loss)
    process = nt.predict.gp_inference(kernel(x, None), y, diag_reg=1e-4)
    mean, covariance = process("nngp", kernel(other, x), kernel(other, None, "nngp"))
    put("bayesian_inference", gp_mean=mean, gp_covariance=covariance)
    put("bayesian_inference", rate=nt.predict.max_learning_rate(kernel(x, None, "ntk"), y.size))


def early_stopping():
    x, other = G.normal(size=(30, 3)), G.normal(size=(15, 3))
    y = np.sin(2 * x[:, :1]) + 0.5 * G.normal(size=(30, 1))
    _, _, kernel = stax.serial(
        stax.Dense(1, 1.5, 0.1), stax.Erf(), stax.Dense(1, 1.5, 0.1), stax.Erf(), stax.Dense(1)
    )
    times = 30 * np.geomspace(0.01, 1e4, 13)
    predict = nt.predict.gradient_descent_mse_ensemble(kernel, x, y)
    mean = predict(t=jnp.asarray(times), x_test=other, get="ntk")
    put("early_stopping", x=x, y=y, other=other, times=times, mean=mean)


def main():
    for recipe in (
        infinite_fcn,
        infinite_cnn,
        weight_space,
        function_space,
        empirical_ntk,
        bayesian_inference,
        early_stopping,
    ):
        recipe()
    np.savez_compressed(sys.argv[1], **FOUND)


if __name__ == "__main__":
    main()
