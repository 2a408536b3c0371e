"""Two rows of the Fourier-features paper's Table 1 (Tancik et al. 2020), CT and MRI, and the same by the kernel alone.

From the runs of `paper_runs`. CT: a picture from 20 parallel views. MRI: the whole brain, or a real picture, from 12.6 % of its
k-space, drawn as there; one coil. No noise, as there; the pictures are Shepp and Logan's and Colin27 (the paper's own brains are others),
and the data are made on a grid twice as fine. The paper has 512 x 512 and 96 x 96 x 96 points; each row says how many are here.

*Trained*, with the settings of the paper's notebooks: 3 hidden layers of 256 units, Adam on all data, values from 0 to 1 by a sigmoid,
on the coordinates as they are (none) or 256 Gaussian frequencies. *Kernel*: the tangent kernel of the same encoding and depth
alone, its ridge by marginal likelihood, within the bounds that the network has; and without them. The bandwidth of both is the
likeliest of 2, 4 and 8 by the measurements; the time of that is the kernel's. The kernel of raw coordinates is not stationary: its field
has values at 64 x 64 or 16 x 16 x 16 points, and is straight between them, which holds it back where the grid is finer.

The kernel's field is that at the end of training, where the least frequency that a network learns slowly has come, too: what none lacks
beside gaussian is far less there than in a training of a thousand steps.

Beside them what `ntkit.reconstruct` gives by default, with values from 0 to 1. Seconds are those of the processor, one thread.
"""

from benchmarks.kept import Entry
from benchmarks.kept import read as kept_in
from benchmarks.paper_runs import CASES, ENCODINGS, PATH
from benchmarks.report import Row

ABOVE = {"shepp": 8.0, "brain61": 4.0, "brain": 4.0}
DIMENSIONS = {"brain": 3}


def measure() -> list[Row]:
    found = kept_in(PATH)
    return [row for case in CASES if f"{case}|none|trained" in found for row in rows(case, found)]


def rows(case: str, found: dict[str, Entry]) -> list[Row]:
    """Of one picture and measurement."""
    kind, item, size, steps = case.split("|")
    points = " x ".join([size] * DIMENSIONS.get(item, 2))
    what = f"{kind.upper()}, {item}, {points}, {steps} steps"
    trained = {e: found[f"{case}|{e}|trained"] for e in ENCODINGS}
    kernel = {e: found[f"{case}|{e}|kernel"] for e in ENCODINGS}
    table = []
    for e in ENCODINGS:
        bandwidth = "" if e == "none" else f" of bandwidth {kernel[e]['bandwidth']:g}"
        reached, took = trained[e]["trained"], trained[e]["seconds"]
        table += [
            Row(f"{what}, {e}{bandwidth}: trained", reached, "dB"),
            Row(f"{what}, {e}: kernel alone", kernel[e]["kernel"], "dB", at_least=reached),
            Row(f"{what}, {e}: kernel alone, without bounds", kernel[e]["free"], "dB"),
            Row(
                f"{what}, {e}: time of the kernel over that of the training, {took:.0f} s",
                kernel[e]["seconds"] / took,
                at_most=0.1,
            ),
        ]
    usual = found[f"{case}|default"]
    table += [
        Row(f"{what}: `ntkit.reconstruct`, {usual['seconds']:.0f} s", usual["default"], "dB"),
        Row(f"{what}: total variation alone", usual["variation"], "dB"),
        Row(
            f"{what}, trained: gaussian above none",
            trained["gaussian"]["trained"] - trained["none"]["trained"],
            "dB",
            at_least=ABOVE[item],
        ),
        Row(
            f"{what}, kernel: gaussian above none",
            kernel["gaussian"]["kernel"] - kernel["none"]["kernel"],
            "dB",
        ),
    ]
    return table
