"""Tancik et al. 2020 (arXiv:2006.10739), Table 1, images: none, basic, positional, gaussian beside the printed figures.

The protocol (`table1_runs`) is theirs: `[::2, ::2]` of a square picture for training and `[1::2, 1::2]` for the
test, coordinates in [0, 1), the paper's network of four layers of weights (three of 256 ReLU units and a read-out)
with a sigmoid, 2,000 steps of Adam on all training pixels, 256 frequencies. What their notebook sets beyond the
paper's table is followed: positional frequencies `2^linspace(0, s, 128) - 1` along each axis with `s = 6` for
photos and 5 for text, and without encoding and with the basic one a learning rate of 1e-2 for photos and 1e-3 for
text.

The pictures are others (`table1_pictures`: the four of Kodak and four that ship with scikit-image; text set here),
so the order of the encodings and the distances between them are the comparison, the printed figures stand in the
name of each row. The paper's pictures have 512 pixels a side and its training samples a Nyquist limit of 128 cycles
per unit. A picture of 128, made of means over blocks of 4 x 4, has a limit of 32: the same content, in cycles per unit,
but for what the whole picture holds between 32 and 128. A bandwidth of 10 is then a third of the limit and not a
thirteenth. Along an axis, one Gaussian frequency in 700 lies above it (of a bandwidth of 14, one in 45), and one
positional frequency in six (of text, none); what these do between the training samples is not trained, and harms
the test. With `--size 512` it is the paper's task in full.
"""

from itertools import pairwise
from statistics import mean, pstdev

from benchmarks.report import Row
from benchmarks.table1_runs import ENCODINGS, KINDS, read

PRINTED = {
    "natural": dict(zip(ENCODINGS, (19.32, 21.71, 24.95, 25.57), strict=True)),
    "text": dict(zip(ENCODINGS, (18.40, 20.48, 27.57, 30.47), strict=True)),
}
"""Test PSNR, dB, mean over 16 pictures."""


def complete(size: int, kind: str) -> dict[str, dict[str, float]]:
    """Test PSNR by picture and encoding, of the pictures that have all four."""
    found: dict[str, dict[str, float]] = {}
    for key, entry in read().items():
        own_size, own_kind, name, encoding = key.split("|")
        if (int(own_size), own_kind) == (size, kind):
            found.setdefault(name, {})[encoding] = entry["test"]
    return {name: tests for name, tests in found.items() if len(tests) == len(ENCODINGS)}


def rows_of(size: int, kind: str) -> list[Row]:
    found = complete(size, kind)
    if not found:
        return []
    about = f"{kind}, {size} x {size}, {len(found)} of {len(KINDS[kind].pictures)} pictures"
    rows, means = [], []
    for encoding in ENCODINGS:
        tests = [of[encoding] for of in found.values()]
        means.append(mean(tests))
        printed = PRINTED[kind][encoding]
        rows.append(Row(f"{about}: {encoding} (printed {printed:.2f})", means[-1], "dB"))
        if len(tests) > 1:
            rows.append(Row(f"{about}: {encoding}, deviation over pictures", pstdev(tests), "dB"))
    for encoding, value in list(zip(ENCODINGS, means, strict=True))[1:]:
        printed = PRINTED[kind][encoding] - PRINTED[kind]["none"]
        what = f"{about}: {encoding} above none (printed {printed:.2f})"
        rows.append(Row(what, value - means[0], "dB"))
    in_order = sum(all(of[a] < of[b] for a, b in pairwise(ENCODINGS)) for of in found.values())
    rows.append(Row(f"{about}: pictures in the printed order", in_order))
    for name, of in found.items():
        words = ", ".join(f"{encoding} {of[encoding]:.2f}" for encoding in ENCODINGS)
        rows.append(
            Row(f"{name} ({words}): gaussian above none", of["gaussian"] - of["none"], "dB")
        )
    return rows


def measure() -> list[Row]:
    sizes = sorted({int(key.split("|")[0]) for key in read()})
    if not sizes:
        raise FileNotFoundError("Train first: `python -m benchmarks.table1_runs`.")
    return [row for size in sizes for kind in KINDS for row in rows_of(size, kind)]
