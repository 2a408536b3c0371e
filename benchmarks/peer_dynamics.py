"""The peer's side of `dynamics_oracles` and `dynamics_speed`: run by its own Python.

`cross-entropy`: reads a problem as JSON from standard input, and writes the functions that the peer's
ODE solver comes to, at tolerances of 1e-12. `speed FILE REPEATS`: times `gradient_descent_mse` from the
matrices in an `.npz` file, first from kernels to predictions, then new times from the same object.
"""

import json
import sys
import time

import jax
import neural_tangents as nt
import numpy as np


def cross_entropy():
    from jax.experimental import ode

    jax.config.update("jax_enable_x64", True)

    task = {k: jax.numpy.asarray(v) for k, v in json.load(sys.stdin).items()}
    kernel = jax.numpy.concatenate([task["k_train_train"], task["k_test_train"]])
    start = jax.numpy.concatenate([task["f_train"], task["f_test"]])
    n = len(task["y"])

    def loss(f):
        return -jax.numpy.mean(jax.numpy.sum(task["y"] * jax.nn.log_softmax(f), axis=-1))

    def rate(f, t):
        return -kernel @ jax.grad(loss)(f[:n])

    times = jax.numpy.concatenate([jax.numpy.zeros(1), task["times"]])
    tight = ode.odeint(rate, start, times, rtol=1e-12, atol=1e-12)[1:]

    predict = nt.predict.gradient_descent(
        lambda f, y: -jax.numpy.mean(jax.numpy.sum(y * jax.nn.log_softmax(f), axis=-1)),
        task["k_train_train"],
        task["y"],
    )
    train, test = predict(task["times"], task["f_train"], task["f_test"], task["k_test_train"])
    apart = jax.numpy.abs(jax.numpy.concatenate([train, test], 1) - tight).max()
    assert apart < 1e-5, apart
    print(json.dumps({"train": tight[:, :n].tolist(), "test": tight[:, n:].tolist()}))


def speed(path, repeats):
    with np.load(path) as data:
        jax.config.update("jax_enable_x64", data["k"].dtype == np.float64)
        k, cross, y, times, later = (
            jax.device_put(data[name]) for name in ("k", "cross", "y", "times", "later")
        )
    zero, zeros = jax.numpy.zeros_like(y), jax.numpy.zeros((len(cross), y.shape[1]), y.dtype)
    first, again, result = [], [], None
    for _ in range(repeats):
        begin = time.perf_counter()
        predict = nt.predict.gradient_descent_mse(k, y)
        result = predict(times, zero, zeros, cross)
        jax.block_until_ready(result)
        first.append(time.perf_counter() - begin)
        predict(later, zero, zeros, cross)
        begin = time.perf_counter()
        jax.block_until_ready(predict(later * 1.1, zero, zeros, cross))
        again.append(time.perf_counter() - begin)
    np.save(path.replace(".npz", "_out.npy"), np.asarray(result[1]))
    print(json.dumps({"first": min(first), "again": min(again)}))


if __name__ == "__main__":
    if sys.argv[1] == "cross-entropy":
        cross_entropy()
    else:
        speed(sys.argv[2], int(sys.argv[3]))
