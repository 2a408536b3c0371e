"""The peer's side of the zoo: reference kernels of many small networks, and their inputs.

Run by the peer's own Python (neural-tangents 0.6.5 with its old jax), from the repository's root:

    python benchmarks/peer_zoo.py tests/kernels/infinite/data/zoo.npz

`tests/kernels/infinite/zoo/` writes the same networks as modules of torch, under the same names. Each entry
`CASE` is `[2, n, m + n, ...]`: NNGP and NTK of `x1` against `x2`, then against itself. Networks that
end in positions give all pairs of them, axes `H, H', W, W'`. Given names after the file, only those
cases are computed, and written beside what the file holds.
"""

import sys
import time
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from neural_tangents import stax  # noqa: E402

W, B = 1.3, 0.2
GET = ("nngp", "ntk")
MASKED = 1000.0
RELU = stax.Relu
ROOT = 2**0.5


def make_inputs():
    g = np.random.default_rng(7)
    x = {
        "vec": (g.normal(size=(4, 5)), g.normal(size=(3, 5))),
        "vec1": (g.normal(size=(4, 1)), g.normal(size=(3, 1))),
        "side": (g.normal(size=(4, 2)), g.normal(size=(3, 2))),
        "seq": (g.normal(size=(3, 7, 3)), g.normal(size=(2, 7, 3))),
        "img": (g.normal(size=(2, 5, 4, 2)), g.normal(size=(2, 5, 4, 2))),
        "tiny": (g.normal(size=(2, 3, 2, 2)), g.normal(size=(2, 3, 2, 2))),
        "even": (g.normal(size=(2, 8, 8, 1)), g.normal(size=(2, 8, 8, 1))),
        "vol": (g.normal(size=(2, 3, 4, 2, 2)), g.normal(size=(2, 3, 4, 2, 2))),
        "graph": (g.normal(size=(3, 4, 3)), g.normal(size=(2, 4, 3))),
        "pattern": (g.normal(size=(3, 4, 4)), g.normal(size=(2, 4, 4))),
        "grid_pattern": (g.normal(size=(2, 3, 2, 3, 2)), g.normal(size=(2, 3, 2, 3, 2))),
        "row_pattern": (g.normal(size=(2, 3, 3)), g.normal(size=(2, 3, 3))),
    }
    zeros = x["vec"][0].copy(), x["vec"][1].copy()
    zeros[0][1] = 0
    x["vec_zero"] = zeros
    x["vec_small"] = tuple(1e-4 * v for v in x["vec"])
    x["vec_large"] = tuple(1e4 * v for v in x["vec"])
    x["sphere"] = tuple(v * 5**0.5 / np.linalg.norm(v, axis=1, keepdims=True) for v in x["vec"])
    masked = []
    for side, lengths in zip(x["seq"], ((7, 4, 2), (5, 7)), strict=True):
        side = side.copy()
        for row, length in zip(side, lengths, strict=True):
            row[length:] = MASKED
        masked.append(side)
    x["ragged"] = tuple(masked)
    return x


def dense(n=1, w=W, b=B, **options):
    return stax.Dense(n, w, b, **options)


def conv(*kernel, strides=None, padding="VALID", b=B, **options):
    return stax.Conv(1, kernel, strides, padding, W, b, **options)


def up(*kernel, strides=None, padding="VALID"):
    return stax.ConvTranspose(1, kernel, strides, padding, W, B)


def local(*kernel, strides=None, padding="VALID"):
    return stax.ConvLocal(1, kernel, strides, padding, W, B)


def flat():
    return stax.serial(stax.Flatten(), dense())


def gap():
    return stax.serial(stax.GlobalAvgPool(), dense())


def both(first, second, join):
    return stax.serial(stax.FanOut(2), stax.parallel(first, second), join)


def residual(*branch):
    return both(stax.Identity(), stax.serial(*branch), stax.FanInSum())


def shallow(make, depth=1):
    return stax.serial(*[part for _ in range(depth) for part in (dense(), make())], dense())


def attention(scores="SOFTMAX", linear=True, **options):
    return stax.GlobalSelfAttention(
        8,
        4,
        4,
        2,
        linear_scaling=linear,
        W_key_std=1.2,
        W_value_std=1.1,
        W_query_std=0.9,
        W_out_std=1.3,
        b_std=options.pop("b", B),
        attention_mechanism=scores,
        **options,
    )


# One line a network, as the peer writes it.
# fmt: off
CASES = {}
"""By name: the names of the inputs, and a function that makes the network."""

OPTIONS = {}
"""By name, what else the peer's kernel takes."""


def case(name, inputs, *layers, **options):
    CASES[name] = inputs, lambda: stax.serial(*[make() for make in layers])
    OPTIONS[name] = options


def fully_connected():
    case("deep_relu", "vec", lambda: stax.serial(*[p for _ in range(30) for p in (dense(1, ROOT, 0.1), RELU())]), dense)
    case("deep_erf", "vec", lambda: stax.serial(*[p for _ in range(30) for p in (dense(1, 1.2, 0.3), stax.Erf())]), dense)
    case("deep_gelu", "vec", lambda: stax.serial(*[p for _ in range(10) for p in (dense(1, 1.4, 0.1), stax.Gelu())]), dense)
    case("linear_chain", "vec", dense, dense, dense)
    for inputs in ("vec1", "vec_zero", "vec_small", "vec_large"):
        case(f"relu_{inputs}", inputs, lambda: shallow(RELU, 2))
        case(f"erf_{inputs}", inputs, lambda: shallow(stax.Erf, 2))
    case("gelu_vec_zero", "vec_zero", lambda: shallow(stax.Gelu, 2))
    case("relu_no_bias_vec_zero", "vec_zero", lambda: dense(b=None), RELU, lambda: dense(b=None))
    case("standard_bias", "vec", lambda: dense(16, parameterization="standard"), RELU, lambda: dense(24, parameterization="standard"), RELU, lambda: dense(1, parameterization="standard"))
    case("standard_then_ntk", "vec", lambda: dense(16, parameterization="standard"), stax.Erf, lambda: dense(24), RELU, lambda: dense(1, b=None, parameterization="standard"))
    case("residual_deep", "vec", dense, lambda: stax.serial(*[residual(RELU(), dense(), RELU(), dense()) for _ in range(10)]), RELU, dense)
    case("residual_scaled", "vec", dense, lambda: both(stax.DotGeneral(rhs=0.6), stax.serial(RELU(), dense(), stax.DotGeneral(rhs=0.8)), stax.FanInSum()), stax.Erf, dense)
    case("three_branches", "vec", lambda: stax.FanOut(3), lambda: stax.parallel(dense(), stax.serial(dense(), RELU(), dense()), stax.serial(dense(), stax.Erf(), dense())), stax.FanInSum, stax.Gelu, dense)
    case("product_gaussians", "vec", lambda: both(dense(), dense(), stax.FanInProd()), dense)
    case("product_three", "vec", lambda: stax.FanOut(3), lambda: stax.parallel(stax.serial(dense(), RELU()), stax.serial(dense(), stax.Erf()), dense()), stax.FanInProd, dense, RELU, dense)
    case("concat_of_concat", "vec", lambda: both(both(stax.serial(dense(8), RELU()), stax.serial(dense(4), stax.Erf()), stax.FanInConcat(-1)), stax.serial(dense(20), stax.Gelu()), stax.FanInConcat(-1)), lambda: dense(8), RELU, dense)
    case("concat_input", "vec", lambda: both(stax.Identity(), stax.serial(dense(15), RELU()), stax.FanInConcat(-1)), lambda: dense(8), RELU, dense)
    case("dropout_twice", "vec", dense, RELU, lambda: stax.Dropout(0.8), dense, stax.Erf, lambda: stax.Dropout(0.5), dense)
    case("layernorm_erf", "vec", dense, stax.LayerNorm, stax.Erf, dense, stax.LayerNorm, RELU, dense)
    case("two_inputs", ("vec", "side"), lambda: stax.parallel(dense(), stax.serial(dense(), RELU(), dense())), stax.FanInSum, RELU, dense)
    case("two_outputs", "vec", dense, RELU, lambda: stax.FanOut(2), lambda: stax.parallel(dense(), stax.serial(dense(), stax.Erf(), dense())))


def activations():
    made = {
        "leaky_0.3": lambda: stax.LeakyRelu(0.3),
        "abrelu_2_-0.5": lambda: stax.ABRelu(2.0, -0.5),
        "abrelu_-1_0.5": lambda: stax.ABRelu(-1.0, 0.5),
        "abs": stax.Abs,
        "relu_stabilised": lambda: stax.Relu(do_stabilize=True),
        "sign": stax.Sign,
        "sin_2_1.5_0.3": lambda: stax.Sin(2.0, 1.5, 0.3),
        "cos_0.5_2_-1": lambda: stax.Cos(0.5, 2.0, -1.0),
        "rbf_1.7": lambda: stax.Rbf(1.7),
        "erf_3_0.2_-1": lambda: stax.Erf(3.0, 0.2, -1.0),
        "sigmoid_like": stax.Sigmoid_like,
        "gelu": stax.Gelu,
        "gabor": stax.Gabor,
        "gaussian_0.5_-2": lambda: stax.Gaussian(0.5, -2.0),
        "exp_0.7_-0.4": lambda: stax.Exp(0.7, -0.4),
        "expnorm_0.5_0.2": lambda: stax.ExpNormalized(0.5, 0.2),
        "monomial_2": lambda: stax.Monomial(2),
        "monomial_3": lambda: stax.Monomial(3),
        "polynomial": lambda: stax.Polynomial((0.1, -0.4, 0.3, 0.05)),
        "numerical_tanh": lambda: stax.ElementwiseNumerical(jnp.tanh, 100),
        "numerical_softplus": lambda: stax.ElementwiseNumerical(jax.nn.softplus, 64),
        "numerical_silu": lambda: stax.ElementwiseNumerical(jax.nn.silu, 64),
        "numerical_square": lambda: stax.ElementwiseNumerical(lambda x: x**2, 25),
    }
    for name, make in made.items():
        case(f"dense_{name}", "vec", lambda make=make: shallow(make, 2))
        if name not in ("sign", "abrelu_-1_0.5"):  # the peer's `Sign` is wrong before pooling
            case(f"conv_{name}", "seq", lambda: conv(3), make, gap)
    for k in (1, 2, 3, 4, 5):
        case(f"hermite_{k}", "sphere", lambda: dense(1, 1.0, None), lambda k=k: stax.Hermite(k), lambda: dense(1, 1.0, None))
    for k in (0, 1, 2, 3, 4):
        case(f"rectified_{k}", "vec", lambda k=k: shallow(lambda: stax.RectifiedMonomial(k)))
    case("elementwise_own_dual", "vec", lambda: shallow(lambda: stax.Elementwise(jnp.sin, lambda c, v, w: jnp.exp(-0.5 * (v + w)) * jnp.sinh(c))))
    case("mixed_activations", "seq", lambda: conv(2), stax.Erf, lambda: conv(2), RELU, lambda: conv(2), stax.Sin, flat)


def convolutions():
    for p in ("VALID", "SAME", "CIRCULAR"):
        case(f"conv1d_{p}", "seq", lambda p=p: conv(4, padding=p), RELU, lambda p=p: conv(3, strides=(2,), padding=p), RELU, flat)
        case(f"conv1d_stride3_{p}", "seq", lambda p=p: conv(2, strides=(3,), padding=p), RELU, gap)
        case(f"conv2d_even_{p}", "img", lambda p=p: conv(2, 4, padding=p), RELU, lambda p=p: conv(4, 1, padding=p), RELU, gap)
        case(f"conv2d_strides_{p}", "img", lambda p=p: conv(3, 2, strides=(2, 1), padding=p), RELU, lambda: conv(2, 2, strides=(1, 3), padding="SAME"), RELU, flat)
        case(f"conv3d_{p}", "vol", lambda p=p: conv(3, 2, 2, padding=p), RELU, gap)
        case(f"conv3d_strides_{p}", "vol", lambda p=p: conv(2, 3, 1, strides=(1, 2, 2), padding=p), RELU, flat)
        case(f"local1d_{p}", "seq", lambda p=p: local(3, strides=(2,), padding=p), RELU, flat)
        case(f"local2d_{p}", "img", lambda p=p: local(2, 3, padding=p), RELU, lambda: conv(2, 2), RELU, gap)
        case(f"local3d_{p}", "vol", lambda p=p: local(2, 2, 1, padding=p), RELU, gap)
        for k, s in ((2, 2), (3, 1), (3, 2), (2, 3), (4, 2)):
            case(f"up1d_{k}_{s}_{p}", "seq", lambda k=k, s=s, p=p: up(k, strides=(s,), padding=p), RELU, gap if s < 3 else flat)
        case(f"up2d_{p}", "tiny", lambda p=p: up(3, 2, strides=(2, 1), padding=p), RELU, gap)
        case(f"up3d_{p}", "vol", lambda p=p: up(2, 1, 3, strides=(2, 1, 1), padding=p), RELU, flat)
    case("conv_larger_than_image", "tiny", lambda: conv(5, 7, padding="SAME"), RELU, lambda: conv(3, 5, strides=(2, 2), padding="SAME"), RELU, gap)
    case("conv_pointwise", "img", lambda: conv(1, 1), RELU, lambda: conv(1, 1), RELU, gap)
    case("conv_no_bias", "img", lambda: conv(3, 3, padding="SAME", b=None), RELU, lambda: conv(3, 3, padding="SAME", b=None), RELU, flat)
    case("conv_standard", "img", lambda: stax.Conv(6, (3, 3), None, "SAME", W, B, parameterization="standard"), RELU, lambda: stax.Conv(5, (3, 3), (2, 1), "SAME", W, B, parameterization="standard"), RELU, stax.Flatten, lambda: dense(1, parameterization="standard"))
    case("up_standard", "tiny", lambda: stax.ConvTranspose(6, (3, 3), (2, 2), "VALID", W, B, parameterization="standard"), RELU, gap)
    case("pairs_of_positions", "tiny", lambda: conv(2, 2, padding="SAME"), RELU, lambda: conv(3, 1, padding="SAME"))
    case("pairs_after_up", "tiny", lambda: up(2, 2, strides=(2, 2)), stax.Erf, lambda: conv(2, 2))
    case("dense_on_pixels", "img", lambda: conv(2, 2), RELU, dense, RELU, gap)


def pools():
    for p in ("VALID", "SAME", "CIRCULAR"):
        for edges in (False, True):
            case(f"avg_{p}_{edges}", "img", lambda: conv(2, 2, padding="SAME"), RELU, lambda p=p, e=edges: stax.AvgPool((3, 3), (1, 1), p, e), lambda: conv(2, 2), RELU, gap)
        case(f"avg_even_{p}", "img", lambda: conv(2, 2, padding="SAME"), RELU, lambda p=p: stax.AvgPool((2, 2), (2, 1), p), flat)
        case(f"sum_{p}", "img", lambda: conv(2, 2, padding="SAME"), RELU, lambda p=p: stax.SumPool((3, 3), (2, 2), p), dense, RELU, gap)
        case(f"avg1d_{p}", "seq", lambda: conv(2), RELU, lambda p=p: stax.AvgPool((3,), (2,), p), dense, stax.Erf, gap)
        case(f"avg3d_{p}", "vol", lambda: conv(2, 2, 1), RELU, lambda p=p: stax.AvgPool((2, 3, 1), (1, 1, 1), p), flat)
    case("sum_global", "seq", lambda: conv(3), RELU, stax.GlobalSumPool, dense)
    case("avg_global_volume", "vol", lambda: conv(2, 2, 2, padding="SAME"), RELU, lambda: conv(2, 2, 1), RELU, gap)
    case("pool_of_inputs", "img", lambda: stax.AvgPool((2, 2), (1, 2)), lambda: conv(2, 2), RELU, gap)
    case("flatten_of_inputs", "img", stax.Flatten, dense, RELU, dense)
    case("gap_then_deep", "img", lambda: conv(3, 3), RELU, stax.GlobalAvgPool, dense, RELU, dense, stax.Erf, dense)
    case("flatten_then_deep", "img", lambda: conv(3, 3), RELU, stax.Flatten, dense, RELU, dense)
    for name, shape, method, antialias in (
        ("linear_up", (-1, 9, 6, -1), "linear", True),
        ("linear_down", (-1, 3, 2, -1), "linear", True),
        ("linear_down_plain", (-1, 3, 2, -1), "linear", False),
        ("linear_mixed", (-1, 3, 7, -1), "linear", True),
        ("nearest_up", (-1, 9, 8, -1), "nearest", True),
        ("nearest_down", (-1, 3, 2, -1), "nearest", False),
    ):
        case(f"resize_{name}", "img", dense, RELU, lambda s=shape, m=method, a=antialias: stax.ImageResize(s, m, a), lambda: conv(2, 2), RELU, gap)
    case("resize_sequence", "seq", lambda: conv(2), RELU, lambda: stax.ImageResize((-1, 11, -1), "linear"), dense, RELU, gap)
    case("index_slices", "img", lambda: conv(2, 2), RELU, lambda: stax.Index(stax.Slice[:, ::-1, 1:]), dense, RELU, gap)
    case("index_one", "img", lambda: conv(2, 2), RELU, lambda: stax.Index(stax.Slice[:, 2]), lambda: conv(2), RELU, gap)
    case("index_position", "seq", lambda: conv(3), RELU, lambda: stax.Index(stax.Slice[:, -1]), dense, RELU, dense)
    case("dot_positions", "seq", lambda: conv(2), RELU, lambda: stax.DotGeneral(rhs=jnp.arange(18.0).reshape(3, 6).T / 18 - 0.4, dimension_numbers=(((1,), (0,)), ((), ()))), flat)


def normalisations():
    for name, axes in (("channels", -1), ("all", (1, 2, 3)), ("columns", (2, 3)), ("rows", (1, 3))):
        case(f"layernorm_{name}", "img", lambda: conv(2, 2), lambda a=axes: stax.LayerNorm(a), RELU, lambda: conv(2, 2), RELU, gap)
        case(f"layernorm_{name}_flat", "img", lambda: conv(2, 2), lambda a=axes: stax.LayerNorm(a), RELU, flat)
    case("layernorm_sequence", "seq", lambda: conv(2), lambda: stax.LayerNorm((1, 2)), stax.Erf, gap)
    case("layernorm_eps", "vec_small", dense, lambda: stax.LayerNorm(-1, 1e-2), RELU, dense)
    case("dropout_conv", "img", lambda: conv(2, 2), RELU, lambda: stax.Dropout(0.8), lambda: conv(2, 2), RELU, gap)
    case("dropout_before_pool", "seq", lambda: conv(2), RELU, lambda: stax.Dropout(0.8), gap)
    case("dropout_flat", "img", lambda: conv(2, 2), RELU, lambda: stax.Dropout(0.5), flat)


def large():
    def same():
        return conv(3, 3, padding="SAME")

    def down():
        return conv(3, 3, strides=(2, 2), padding="SAME")

    def block():
        return residual(RELU(), same(), RELU(), same())

    def narrower():
        return both(down(), stax.serial(RELU(), down(), RELU(), same()), stax.FanInSum())

    def pool():
        return stax.AvgPool((2, 2), (2, 2))

    case("wide_resnet", "even", same, block, narrower, block, narrower, block, gap)
    case("myrtle", "even", lambda: stax.Conv(1, (3, 3), None, "SAME", ROOT), RELU, lambda: stax.Conv(1, (3, 3), None, "SAME", ROOT), RELU, pool, lambda: stax.Conv(1, (3, 3), None, "SAME", ROOT), RELU, pool, lambda: stax.Conv(1, (3, 3), None, "SAME", ROOT), RELU, pool, stax.GlobalAvgPool, lambda: stax.Dense(1, ROOT))
    case("vgg_flatten", "even", same, RELU, same, RELU, pool, same, RELU, pool, stax.Flatten, dense, RELU, dense)
    def wide(c):
        return stax.Conv(c, (3, 3), None, "SAME", W, B)

    def inner():
        return stax.serial(pool(), wide(8), RELU(), stax.ConvTranspose(4, (2, 2), (2, 2), "VALID", W, B), RELU())

    case("unet", "even", lambda: wide(4), RELU, lambda: both(stax.Identity(), inner(), stax.FanInConcat(-1)), lambda: wide(4), RELU, gap)
    def resized():
        return stax.serial(pool(), wide(6), RELU(), stax.ImageResize((-1, 8, 8, -1), "linear"))

    case("unet_resize", "even", lambda: wide(4), RELU, lambda: both(stax.Identity(), resized(), stax.FanInConcat(-1)), lambda: wide(4), RELU, flat)
    case("dense_net", "img", lambda: both(stax.Identity(), stax.serial(wide(4), RELU()), stax.FanInConcat(-1)), lambda: wide(4), RELU, gap)
    case("squeeze_product", "img", lambda: both(stax.serial(conv(2, 2, padding="SAME"), RELU()), stax.serial(conv(3, 3, padding="SAME"), stax.Erf()), stax.FanInProd()), lambda: conv(2, 2), RELU, gap)
    case("conv_parallel_pools", "img", same, RELU, lambda: both(stax.serial(stax.GlobalAvgPool(), dense()), stax.serial(stax.GlobalSumPool(), dense()), stax.FanInSum()), RELU, dense)
    case("concat_positions", "seq", lambda: both(conv(3), stax.serial(conv(2), RELU(), dense()), stax.FanInConcat(1)), RELU, lambda: conv(3), RELU, gap)
    case("concat_rows_flat", "img", lambda: both(conv(2, 2), conv(3, 2), stax.FanInConcat(1)), RELU, flat)
    case("mixer", "img", lambda: conv(1, 1), lambda: residual(RELU(), conv(1, 1)), stax.Gelu, lambda: stax.AvgPool((5, 1)), dense, RELU, gap)


def attentions():
    def decay(d):
        return jnp.exp(-0.3 * d)

    for scores in ("SOFTMAX", "IDENTITY", "ABS", "RELU"):
        case(f"attend_{scores}", "seq", dense, lambda s=scores: attention(s), RELU, flat)
        case(f"attend_{scores}_relu_in", "seq", dense, stax.Erf, lambda s=scores: attention(s, b=None), stax.Erf, gap)
        for kind in ("SUM", "CONCAT"):
            for values in (False, True):
                case(f"attend_{scores}_{kind}_{values}", "seq", lambda: dense(8), lambda s=scores, k=kind, v=values: attention(s, pos_emb_type=k, W_pos_emb_std=0.7, val_pos_emb=v), RELU, gap)
    for kind in ("SUM", "CONCAT"):
        for values in (False, True):
            case(f"attend_sqrt_{kind}_{values}", "seq", lambda: dense(8), lambda k=kind, v=values: attention("IDENTITY", False, pos_emb_type=k, W_pos_emb_std=0.7, val_pos_emb=v), RELU, gap)
    case("attend_sqrt", "seq", dense, RELU, lambda: attention("IDENTITY", False), RELU, gap)
    case("attend_decay", "seq", lambda: dense(8), lambda: attention(pos_emb_type="SUM", pos_emb_decay_fn=decay), RELU, flat)
    case("attend_decay_norm1", "seq", lambda: dense(8), lambda: attention(pos_emb_type="CONCAT", pos_emb_decay_fn=decay, pos_emb_p_norm=1, n_chan_pos_emb=3, val_pos_emb=True), RELU, flat)
    case("attend_pixels", "img", lambda: conv(2, 2), RELU, lambda: attention("RELU"), RELU, flat)
    case("attend_pixels_decay", "img", lambda: stax.Conv(8, (2, 2), None, "VALID", W, B), RELU, lambda: attention(pos_emb_type="SUM", pos_emb_decay_fn=decay), RELU, gap)
    case("transformer", "seq", lambda: dense(8), lambda: stax.serial(*[p for _ in range(2) for p in (residual(stax.LayerNorm(), attention()), residual(stax.LayerNorm(), dense(8), stax.Gelu(), dense(8)))]), stax.LayerNorm, gap)
    case("attend_inputs", "seq", lambda: attention("IDENTITY"), RELU, gap)


def graphs():
    aggregate = stax.Aggregate
    case("graph_gap", ("graph", "pattern"), dense, RELU, aggregate, dense, RELU, aggregate, gap)
    case("graph_inputs", ("graph", "pattern"), aggregate, dense, RELU, stax.GlobalSumPool, dense)
    case("graph_flat", ("graph", "pattern"), dense, stax.Erf, aggregate, dense, RELU, flat)
    case("graph_residual", ("graph", "pattern"), dense, lambda: residual(aggregate(), RELU(), dense()), RELU, gap)
    case("graph_grid", ("tiny", "grid_pattern"), dense, RELU, aggregate, dense, RELU, gap)
    case("graph_rows", ("tiny", "row_pattern"), dense, RELU, lambda: aggregate(1), dense, RELU, gap)


def masks():
    options = {"mask_constant": MASKED}
    case("mask_gap", "ragged", dense, RELU, gap, **options)
    case("mask_sum", "ragged", dense, RELU, stax.GlobalSumPool, dense, **options)
    case("mask_conv", "ragged", lambda: conv(3, padding="SAME"), RELU, lambda: conv(3, padding="SAME"), RELU, gap, **options)
    case("mask_flat", "ragged", dense, RELU, dense, RELU, flat, **options)
    case("mask_layernorm", "ragged", dense, stax.LayerNorm, RELU, gap, **options)
    for scores in ("SOFTMAX", "IDENTITY", "ABS", "RELU"):
        case(f"mask_attend_{scores}", "ragged", dense, lambda s=scores: attention(s), RELU, gap, **options)
    case("mask_attend_embedded", "ragged", lambda: dense(8), lambda: attention(pos_emb_type="SUM", W_pos_emb_std=0.7), RELU, gap, **options)
    case("mask_transformer", "ragged", lambda: dense(8), lambda: residual(stax.LayerNorm(), attention()), lambda: residual(stax.LayerNorm(), dense(8), RELU(), dense(8)), gap, **options)


# fmt: on
def of_both(kernel, x1, x2, name):
    options = dict(OPTIONS[name])
    patterned = isinstance(CASES[name][0], tuple) and "pattern" in CASES[name][0][1]
    left, right = x1, x2
    if patterned:
        left, right = x1[0], x2[0]
        options["pattern"] = (x1[1], x2[1])
    between = kernel(left, right, GET, **options)
    if patterned:
        options["pattern"] = (x1[1], x1[1])
    within = kernel(left, None, GET, **options)
    if isinstance(between, list):
        return [packed(a, b) for a, b in zip(between, within, strict=True)]
    return packed(between, within)


def packed(between, within):
    return np.stack([np.concatenate([getattr(between, g), getattr(within, g)], 1) for g in GET])


def main():
    for fill in (
        fully_connected,
        activations,
        convolutions,
        pools,
        normalisations,
        large,
        attentions,
        graphs,
        masks,
    ):
        fill()
    path, names = Path(sys.argv[1]), sys.argv[2:]
    found = {}
    if names and path.exists():
        with np.load(path) as before:
            found.update({k: before[k] for k in before.files})
    inputs = make_inputs()
    for name, (x1, x2) in inputs.items():
        found[f"inputs/{name}/x1"], found[f"inputs/{name}/x2"] = x1, x2
    for name, (taken, make) in CASES.items():
        if names and name not in names:
            continue
        start = time.perf_counter()
        labels = taken if isinstance(taken, tuple) else (taken,)
        x1, x2 = ([jnp.asarray(inputs[k][side]) for k in labels] for side in (0, 1))
        x1, x2 = (tuple(x) if len(x) > 1 else x[0] for x in (x1, x2))
        try:
            result = of_both(make()[2], x1, x2, name)
        except Exception as error:
            print(name, "FAILED", type(error).__name__, str(error)[:200], flush=True)
            continue
        parts = (
            {f"{name}/{k}": v for k, v in enumerate(result)}
            if isinstance(result, list)
            else {name: result}
        )
        found.update({k: np.asarray(v) for k, v in parts.items()})
        bad = [k for k, v in parts.items() if not np.isfinite(v).all()]
        print(
            f"{name}: {time.perf_counter() - start:.1f} s",
            f"not finite: {bad}" if bad else "",
            flush=True,
        )
    np.savez_compressed(path, **found)


if __name__ == "__main__":
    main()
