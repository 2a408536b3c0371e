"""The peer's side of `infinite_speed`: run by its own Python, told what to do on standard input.

A line `{"case": ..., "dtype": ..., "inputs": "x.npy", "corner": "out.npy"}` is answered by a line of
the wall and processor seconds of one call, after a first one that compiles; the first entries of the
result are written to `corner`.
"""

import json
import sys
import time

import jax
import numpy as np
from neural_tangents import stax

jax.config.update("jax_enable_x64", True)


def dense(depth):
    layers = [part for _ in range(depth) for part in (stax.Dense(1, 2**0.5), stax.Relu())]
    return stax.serial(*layers, stax.Dense(1))


def convolutional(head):
    layers = [
        part
        for _ in range(4)
        for part in (stax.Conv(1, (3, 3), padding="SAME", W_std=2**0.5), stax.Relu())
    ]
    return stax.serial(*layers, head(), stax.Dense(1))


NETWORKS = {
    "mlp": lambda: dense(3),
    "deep": lambda: dense(10),
    "flatten": lambda: convolutional(stax.Flatten),
    "pool": lambda: convolutional(stax.GlobalAvgPool),
}


def main():
    kernels = {}
    for line in sys.stdin:
        task = json.loads(line)
        x = jax.numpy.asarray(np.load(task["inputs"]).astype(task["dtype"]))
        if task["case"] not in kernels:
            kernel = NETWORKS[task["case"]]()[2]
            kernels[task["case"]] = jax.jit(lambda x, kernel=kernel: kernel(x, None, "ntk"))
        call = kernels[task["case"]]
        call(x).block_until_ready()
        wall, cpu = time.perf_counter(), time.process_time()
        result = call(x).block_until_ready()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        np.save(task["corner"], np.asarray(result)[:8, :8])
        print(json.dumps({"wall": wall, "cpu": cpu}), flush=True)


if __name__ == "__main__":
    main()
