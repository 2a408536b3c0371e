"""A small function for each node of the graph whose forward derivatives are trusted: `TESTED`."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["KINKED", "ROWS"]

W = torch.linspace(-1, 1, 36).double().reshape(6, 6)
C = torch.linspace(0.5, 1.5, 24).double().reshape(4, 6)
IDX = torch.tensor([[0, 2, 1], [3, 3, 5], [1, 0, 0], [4, 4, 2]])
M = torch.tensor([[1, 0, 1, 1, 0, 1]] * 4).bool()
Z = torch.zeros(4, 6).double()
ONE = torch.eye(4).double()
BAG = torch.tensor([0, 1, 1, 3])


def pos(q: Tensor) -> Tensor:
    return q.square() + 0.5


def inplace(change: Callable[[Tensor], Any]) -> Callable[[Tensor], Tensor]:
    def of_a_copy(q: Tensor) -> Tensor:
        h = q.clone()
        found = change(h)
        return h if found is None else found

    return of_a_copy


def setitem(h: Tensor) -> None:
    h[:, 1] = h[:, 0].clone() * 2


def addslice(h: Tensor) -> None:
    h[:, 2:] += h[:, :4].clone().sin()


def filled(h: Tensor) -> Tensor:
    out = torch.zeros(4, 6).double()
    out[:, :3] = h[:, :3].sin()
    out[:, 3:] = h[:, 3:]
    return out


def conv2d(q: Tensor, **options: Any) -> Tensor:
    kernel = q.reshape(24)[:18].view(2, 1, 3, 3)
    return F.conv2d(q.view(1, 1, 4, 6), kernel, q[0, :2], padding=1, **options).flatten(1)


def conv3d(q: Tensor) -> Tensor:
    kernel = q.reshape(24)[:16].view(2, 1, 2, 2, 2)
    return F.conv3d(q.view(1, 1, 2, 3, 4), kernel, q[0, :2]).flatten(1)


ROWS: dict[str, Callable[[Tensor], Tensor]] = {
    "div2": lambda q: q / pos(q),
    "lerp tensor": lambda q: torch.lerp(q, C, q.flip(0)),
    "maximum2": lambda q: torch.maximum(q, q.flip(0)),
    "sdpa mask": lambda q: F.scaled_dot_product_attention(
        q.view(1, 1, 4, 6), q.view(1, 1, 4, 6), q.view(1, 1, 4, 6), attn_mask=q[None, None, :, :4]
    ).flatten(1),
    "conv2d": conv2d,
    "conv2d stride": lambda q: conv2d(q, stride=2),
    "conv_t2": lambda q: F.conv_transpose2d(
        q.view(1, 1, 4, 6), q.reshape(24)[:18].view(1, 2, 3, 3)
    ).flatten(1),
    "conv3d": conv3d,
    "linear3": lambda q: F.linear(q.view(2, 2, 6), q[:3], q[0, :3]),
    "einsum2": lambda q: torch.einsum("bij,bjk->bik", q.view(2, 2, 6), q.view(2, 6, 2)),
    "batch_norm": lambda q: F.batch_norm(q, C[0] * 0, C[1], q[0], q[1], False),
    "group_norm": lambda q: F.group_norm(q.view(1, 4, 6), 2, q[0, :4], q[1, :4]).flatten(1),
    "softmax": lambda q: F.softmax(q, -1),
    "setitem": inplace(setitem),
    "addslice": inplace(addslice),
    "filled": inplace(filled),
    "relu_": inplace(lambda h: h.relu_()),
    "masked_fill_": inplace(lambda h: h.masked_fill_(M, 0)),
    "amax": lambda q: q.amax(-1, keepdim=True),
    "max": lambda q: q.max().reshape(1, 1),
    "where2": lambda q: torch.where(q > 0, q, q * q),
    "gru cell": lambda q: torch.gru_cell(
        q[:2],
        q[2:, :2],
        torch.cat([q[:3], q[:3]], 0),
        torch.cat([q[:3], q[:3]], 0)[:, :2].contiguous(),
    ),
    "lstm cell": lambda q: torch.lstm_cell(
        q[:2],
        (q[2:, :2], q[2:, 2:4]),
        torch.cat([q, q], 0),
        torch.cat([q, q], 0)[:, :2].contiguous(),
    )[0],
    "glu": lambda q: F.glu(q, -1),
    "softplus beta": lambda q: F.softplus(q, 5),
    "gelu tanh": lambda q: F.gelu(q, approximate="tanh"),
    "index_put acc": lambda q: Z.index_put((torch.tensor([0, 0]),), q[:2], accumulate=True),
    "scatter_mean": lambda q: Z.scatter_reduce(1, IDX, q[:, :3], "mean"),
    "scatter_amax": lambda q: Z.scatter_reduce(1, IDX, q[:, :3], "amax"),
    "layer_norm": lambda q: F.layer_norm(q, (6,), q[0], q[1]),
    "dropout": lambda q: F.dropout(q, 0.5, True),
    "to": lambda q: q.float().double(),
    "pow tensor": lambda q: pos(q) ** q,
    "embedding": lambda q: F.embedding(BAG, q),
    "bilinear": lambda q: F.bilinear(q[:, :3], q[:, 3:], W[:, :6].reshape(4, 3, 3)),
    "stft": lambda q: torch.stft(
        q.flatten(), 8, window=torch.ones(8).double(), return_complex=True, center=False
    ).abs(),
    "ifft": lambda q: torch.fft.ifft(torch.complex(q, C)).real,
    "local_response": lambda q: F.local_response_norm(q[None], 2).flatten(1),
    "unbind": lambda q: torch.stack(q.unbind(0)[:2]),
    "std": lambda q: q.std(-1, keepdim=True),
    "nll": lambda q: F.cross_entropy(q, torch.tensor([0, 1, 2, 3]), reduction="none")[None],
    "solve_tri": lambda q: torch.linalg.solve_triangular(
        q[:, :4].tril() + 3 * ONE, C[:, :2], upper=False
    ),
    "cholesky_solve": lambda q: torch.cholesky_solve(
        C[:, :2], torch.linalg.cholesky(q @ q.T + ONE)
    ),
    "quantile": lambda q: q.quantile(0.3, -1, keepdim=True),
    "neg": lambda q: -q,
    "pow scalar base": lambda q: 2.0**q,
    "rsub": lambda q: 1 - q,
    "exp": torch.exp,
    "exp2": torch.exp2,
    "expm1": torch.expm1,
    "cos": torch.cos,
    "tan": torch.tan,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "atan": torch.atan,
    "erf": torch.erf,
    "erfc": torch.erfc,
    "asinh": torch.asinh,
    "logaddexp": lambda q: torch.logaddexp(q, C),
    "lerp": lambda q: torch.lerp(q, C, 0.3),
    "remainder": lambda q: q % 0.7,
    "fmod": lambda q: torch.fmod(q, 0.7),
    "relu6": F.relu6,
    "leaky": F.leaky_relu,
    "elu": F.elu,
    "celu": F.celu,
    "silu": F.silu,
    "mish": F.mish,
    "hardswish": F.hardswish,
    "logsigmoid": F.logsigmoid,
    "softshrink": F.softshrink,
    "hardshrink": F.hardshrink,
    "threshold": lambda q: F.threshold(q, 0.1, 0.1),
    "rrelu": lambda q: F.rrelu(q, training=False),
    "diag_embed": lambda q: torch.diag_embed(q),
    "pinv": lambda q: torch.linalg.pinv(q),
    "sum dim": lambda q: q.sum(0, keepdim=True),
    "cumsum": lambda q: q.cumsum(-1),
    "logsumexp": lambda q: q.logsumexp(-1, keepdim=True),
    "max dim": lambda q: q.max(-1, keepdim=True)[0],
    "min dim": lambda q: q.min(-1, keepdim=True)[0],
    "aminmax": lambda q: torch.aminmax(q, dim=-1, keepdim=True)[0],
    "minimum": lambda q: torch.minimum(q, C - 1),
    "clamp": lambda q: q.clamp(-0.5, 0.5),
    "clamp_min": lambda q: q.clamp_min(0.1),
    "clamp_max": lambda q: q.clamp_max(0.5),
    "clamp tensor": lambda q: torch.clamp(q, min=C - 1, max=C),
    "topk": lambda q: q.topk(2, -1)[0],
    "median": lambda q: q.median(-1, keepdim=True)[0],
    "kthvalue": lambda q: q.kthvalue(2, -1, keepdim=True)[0],
    "cummax": lambda q: q.cummax(-1)[0],
    "repeat": lambda q: q.repeat(2, 1),
    "split sizes": lambda q: q.split([1, 2, 3], -1)[2],
    "index": lambda q: q[torch.tensor([0, 0, 2])],
    "index_select": lambda q: q.index_select(1, torch.tensor([0, 0, 3])),
    "take": lambda q: q.take(IDX),
    "index_add": lambda q: Z.index_add(0, torch.tensor([0, 0, 1, 2]), q),
    "roll": lambda q: q.roll(1, 0),
    "rot90": lambda q: q.rot90(),
    "triu": lambda q: q.triu(1),
    "nan_to_num": lambda q: q.nan_to_num(),
    "mse": lambda q: F.mse_loss(q, C, reduction="none"),
    "smooth_l1": lambda q: F.smooth_l1_loss(q, C, reduction="none"),
    "bce": lambda q: F.binary_cross_entropy_with_logits(q, C / 2, reduction="none"),
    "addcmul": lambda q: torch.addcmul(q, q.flip(0), C),
    "matmul vec": lambda q: q @ q[0],
    "cross": lambda q: torch.linalg.cross(q[:, :3], q[:, 3:]),
    "diagonal": lambda q: q[:, :4].diagonal(),
    "matrix_exp": lambda q: torch.matrix_exp(q[:, :4]),
    "lstsq": lambda q: torch.linalg.lstsq(q.T, C.T[:, :2]).solution,
    "sum": lambda q: q.sum().reshape(1, 1),
    "mean": lambda q: q.mean().reshape(1, 1),
    "var_mean": lambda q: torch.var_mean(q, -1)[0][None],
    "nansum": lambda q: q.nansum().reshape(1, 1),
    "squeeze2": lambda q: q.view(4, 1, 6).squeeze((1,)),
    "scatter": lambda q: Z.scatter(1, IDX[:, 1:2], q[:, :1]),
    "scatter_add": lambda q: Z.scatter_add(1, IDX, q[:, :3]),
    "index_copy": lambda q: Z.index_copy(0, torch.tensor([0, 3]), q[:2]),
    "masked_select": lambda q: q.masked_select(M)[None],
    "F.unfold": lambda q: F.unfold(q.view(1, 1, 4, 6), 2).flatten(1),
    "F.fold": lambda q: F.fold(q.view(1, 4, 6), (3, 4), (2, 2)).flatten(1),
    "pixel_shuffle": lambda q: F.pixel_shuffle(q.view(1, 4, 2, 3), 2).flatten(1),
    "pixel_unshuffle": lambda q: F.pixel_unshuffle(q.view(1, 1, 4, 6), 2).flatten(1),
    "channel_shuffle": lambda q: F.channel_shuffle(q.view(1, 4, 6), 2).flatten(1),
    "select_scatter": lambda q: torch.select_scatter(C, q[0], 0, 1),
    "slice_scatter": lambda q: torch.slice_scatter(C, q[:2], 0, 1, 3),
    "block_diag": lambda q: torch.block_diag(q[:2, :2], q[2:, :2]),
    "copy_": inplace(lambda h: torch.empty(4, 6).double().copy_(h)),
    "avg3": lambda q: F.avg_pool3d(q.view(1, 1, 2, 2, 6), 2).flatten(1),
    "aavg2": lambda q: F.adaptive_avg_pool2d(q.view(1, 1, 4, 6), (3, 4)).flatten(1),
    "aavg3": lambda q: F.adaptive_avg_pool3d(q.view(1, 1, 2, 2, 6), (1, 2, 4)).flatten(1),
    "max2": lambda q: F.max_pool2d(q.view(1, 1, 4, 6), 2).flatten(1),
    "max3": lambda q: F.max_pool3d(q.view(1, 1, 2, 2, 6), 2).flatten(1),
    "amax2": lambda q: F.adaptive_max_pool2d(q.view(1, 1, 4, 6), 2).flatten(1),
    "interp nearest": lambda q: F.interpolate(q.view(1, 1, 4, 6), scale_factor=2).flatten(1),
    "interp bilinear": lambda q: F.interpolate(
        q.view(1, 1, 4, 6), scale_factor=2, mode="bilinear"
    ).flatten(1),
    "interp bicubic": lambda q: F.interpolate(
        q.view(1, 1, 4, 6), scale_factor=2, mode="bicubic"
    ).flatten(1),
    "interp tri": lambda q: F.interpolate(
        q.view(1, 1, 2, 2, 6), scale_factor=2, mode="trilinear"
    ).flatten(1),
    "interp nearest3": lambda q: F.interpolate(q.view(1, 1, 2, 2, 6), scale_factor=2).flatten(1),
    "interp exact": lambda q: F.interpolate(
        q.view(1, 1, 4, 6), scale_factor=2, mode="nearest-exact"
    ).flatten(1),
    "reciprocal": lambda q: pos(q).reciprocal(),
    "log": lambda q: pos(q).log(),
    "log1p": lambda q: pos(q).log1p(),
    "log2": lambda q: pos(q).log2(),
    "log10": lambda q: pos(q).log10(),
    "atan2": lambda q: torch.atan2(q, pos(q)),
    "addcdiv": lambda q: torch.addcdiv(C, q, pos(q)),
    "hypot": lambda q: torch.hypot(q, pos(q)),
    "xlogy": lambda q: torch.special.xlogy(C, pos(q)),
    "polygamma": lambda q: torch.lgamma(pos(q)),
    "baddbmm": lambda q: torch.baddbmm(q.view(4, 2, 3)[:, :, :2], q.view(4, 2, 3), q.view(4, 3, 2)),
    "dot": lambda q: q[0].dot(q[1]).reshape(1, 1),
    "addbmm": lambda q: torch.addbmm(q[:2, :2], q.view(2, 2, 6), q.view(2, 6, 2)),
    "squeeze": lambda q: q[:1].squeeze().view(1, -1),
    "pad reflect": lambda q: F.pad(q[None], (1, 2), mode="reflect").flatten(1),
    "pad replicate": lambda q: F.pad(q[None], (1, 2), mode="replicate").flatten(1),
    "unfold": lambda q: q.unfold(1, 3, 1).flatten(1),
    "interp linear": lambda q: F.interpolate(q[None], scale_factor=2, mode="linear").flatten(1),
    "interp nearest1": lambda q: F.interpolate(q[None], scale_factor=2).flatten(1),
    "affine_grid": lambda q: F.affine_grid(
        q[:1].view(1, 2, 3), (1, 1, 2, 2), align_corners=True
    ).flatten(1),
    "irfft": lambda q: torch.fft.irfft(torch.complex(q, q.flip(0))),
    "angle": lambda q: torch.complex(q, pos(q)).angle(),
    "trace": lambda q: (q[:, :4] @ q[:, :4]).trace().reshape(1, 1),
    "polar": lambda q: torch.polar(pos(q), q).imag,
    "view_as_complex": lambda q: (torch.view_as_complex(q.reshape(4, 3, 2).contiguous()) ** 2).real,
    "conj": lambda q: (torch.complex(q, C).conj() * torch.complex(C, q)).imag,
    "inv": lambda q: torch.linalg.inv(q[:, :4] @ q[:, :4].T + ONE),
    "rms_norm": lambda q: F.rms_norm(q, (6,), q[0]),
    "lp": lambda q: F.lp_pool1d(pos(q)[None], 2, 2).flatten(1),
    "sdpa causal": lambda q: F.scaled_dot_product_attention(
        q.view(1, 1, 4, 6), q.view(1, 1, 4, 6), q.view(1, 1, 4, 6), is_causal=True
    ).flatten(1),
    "mul": lambda q: q * q.flip(0),
    "prelu": lambda q: F.prelu(q, q[0].abs()),
    "hardsigmoid": F.hardsigmoid,
    "sinc": torch.sinc,
    "pow": lambda q: q**3,
    "pow2": lambda q: q.square(),
    "abs": torch.abs,
    "mv": lambda q: (q @ C[0])[:, None],
    "tanh_": inplace(lambda h: h.tanh_()),
    "div": lambda q: C / pos(q),
    "gather": lambda q: q.gather(1, IDX),
    "interp area": lambda q: F.interpolate(q.view(1, 1, 4, 6), size=(2, 3), mode="area").flatten(1),
    "batch_norm train": lambda q: F.batch_norm(q, None, None, q[0], q[1], True),
    "instance_norm": lambda q: F.instance_norm(q.view(1, 4, 6)).flatten(1),
    "sdpa": lambda q: F.scaled_dot_product_attention(
        q.view(1, 2, 2, 6), q.view(1, 2, 2, 6).flip(2), q.view(1, 2, 2, 6)
    ).flatten(1),
    "conv1d groups": lambda q: F.conv1d(
        q.view(1, 4, 6), q.reshape(24)[:12].view(4, 1, 3), q[0, :4], padding=1, groups=4
    ).flatten(1),
    "sort": lambda q: q.sort(-1)[0],
}
"""By the names of the operations; of a matrix `[4, 6]`."""

KINKED = {
    "minimum",
    "clamp tensor",
    "topk",
    "cummax",
    "smooth_l1",
    "stft",
    "to",
    "sort",
    "maximum2",
    "median",
    "kthvalue",
    "max2",
    "amax2",
}
"""Whose values have a kink near the points of the test, or are not those of a derivative: those are
compared with backward passes alone.
"""
