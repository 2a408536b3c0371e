"""The peer's side of `empirical_speed`: run by its own Python, told what to do on standard input.

A line `{"case": ..., "full": ..., "inputs": "in.npz", "corner": "out.npz"}` is answered by a line of
the wall and processor seconds of one call, after a first one that compiles; the first entries of the
result are written to `corner`. The case "cnn" tries the modes once and keeps the faster; products with
vectors, which repeat the network for each pair, are left out.
"""

import json
import sys
import time

import jax
import jax.numpy as jnp
import neural_tangents as nt
import numpy as np

MODES = (
    nt.NtkImplementation.STRUCTURED_DERIVATIVES,
    nt.NtkImplementation.JACOBIAN_CONTRACTION,
)


def mlp(params, x):
    for layer in ("0", "2"):
        x = jax.nn.relu(x @ params[layer + ".weight"].T + params[layer + ".bias"])
    return x @ params["4.weight"].T + params["4.bias"]


def cnn(params, x):
    for layer in ("0", "2", "4"):
        x = jax.lax.conv_general_dilated(
            x,
            params[layer + ".weight"],
            (1, 1),
            "SAME",
            dimension_numbers=("NCHW", "OIHW", "NCHW"),
        )
        x = jax.nn.relu(x + params[layer + ".bias"][None, :, None, None])
    return x.mean((2, 3)) @ params["8.weight"].T + params["8.bias"]


FUNCTIONS = {"mlp": mlp, "cnn": cnn}


def kernel(function, mode, full):
    call = nt.empirical_ntk_fn(
        function,
        trace_axes=() if full else (-1,),
        vmap_axes=0,
        implementation=mode,
    )
    return jax.jit(lambda params, x: call(x, None, params))


def timed(call, params, x):
    wall, cpu = time.perf_counter(), time.process_time()
    result = call(params, x).block_until_ready()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def best(function, full, params, x, modes):
    calls = [kernel(function, mode, full) for mode in modes]
    for call in calls:
        timed(call, params, x)
    return min(calls, key=lambda call: timed(call, params, x)[0])


def main():
    calls = {}
    for line in sys.stdin:
        task = json.loads(line)
        arrays = {k: jnp.asarray(v) for k, v in np.load(task["inputs"]).items()}
        x = arrays.pop("x")
        key = task["case"], task["full"]
        if key not in calls:
            modes = MODES if task["case"] == "cnn" else MODES[:1]
            calls[key] = best(FUNCTIONS[task["case"]], task["full"], arrays, x, modes)
        wall, cpu, result = timed(calls[key], arrays, x)
        np.savez(task["corner"], corner=np.asarray(result)[:8, :8])
        print(json.dumps({"wall": wall, "cpu": cpu}), flush=True)


if __name__ == "__main__":
    main()
