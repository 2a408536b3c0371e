"""The recommendation, on signals whose answer is known, and the promises about it."""

import sys
from itertools import pairwise
from math import inf, log10

import pytest
import torch
from torch import Tensor, nn

from ntkit import GradientFlow, encodings, ntk, training_time, tune
from ntkit._core.errors import NumericalError
from ntkit.networks import mlp
from ntkit.tasks import Signal
from ntkit.tuning.candidates import Candidate
from ntkit.tuning.choice import FLAT, Row, choose, flat_range, scores_of
from ntkit.tuning.predict import Prediction
from ntkit.tuning.scale_model import ScaleModel
from tests.cases import randn, seeded

SMALL = {"width": 64, "depth": 3, "n_frequencies": 64}
QUICK = {**SMALL, "pilot": False, "steps": 100, "encodings": ["gaussian"]}


def waves(n: int, powers: Tensor, seed: int = 0) -> Tensor:
    """`n` samples of random waves of 1, 2, ... cycles, peak-to-peak of one."""
    k = torch.arange(1, len(powers) + 1).double()
    x = torch.arange(n).double() / n
    phase = torch.rand(len(powers), generator=seeded(seed), dtype=torch.float64)
    wave = (powers.sqrt() * torch.cos(2 * torch.pi * (k * x[:, None] + phase))).sum(1)
    return (wave - wave.min()) / (wave.max() - wave.min())


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_signals_of_larger_bandwidth_want_larger_bandwidths(optimiser) -> None:
    """Random signals of up to 3, 15 and 50 cycles; training samples resolve 64.

    100 steps of SGD learn next to nothing of them, and then all bandwidths are equals.
    """
    found = []
    for cut in (3, 15, 50):
        signal = waves(256, torch.ones(cut).double())
        budget = {"lr": 1e-3} if optimiser == "adam" else {"lr": 0.02, "steps": 5000}
        result = tune(signal, optimiser=optimiser, engine="periodic", **{**QUICK, **budget})
        found.append(result.bandwidth)
    assert found[0] < found[1] < found[2]


def test_denser_samples_of_one_view_are_predicted_to_want_larger_bandwidths() -> None:
    """A line of power `1 / f^2`, as in photos, sampled 64, 256 and 1,024 times."""
    line = waves(1024, torch.arange(1, 500).double() ** -2)
    bandwidths = [1, 2, 4, 7, 10, 14, 20, 30, 45, 60, 90]
    found, chosen = [], []
    for n in (64, 256, 1024):
        result = tune(line[:: 1024 // n], goal="fit", bandwidths=bandwidths, **QUICK)
        best = max(result.table, key=lambda row: row.at(100).train)
        found.append(best.candidate.bandwidth)
        chosen.append(result.bandwidth)
    assert chosen == sorted(chosen)
    assert chosen[2] > chosen[0]
    assert found == sorted(found)
    assert found[2] > 2 * found[0]


@pytest.mark.parametrize("factor", [1.0, 0.01, 300.0])
@pytest.mark.parametrize("level", [0.0, 17.0])
def test_of_equals_one_below_their_middle_is_chosen(factor: float, level: float) -> None:
    """In the units of any axis, at any level, however good those are that are not equals."""
    equals = {2.0: FLAT, 4.0: 0.1, 8.0: 0.0, 16.0: 0.1, 32.0: FLAT}
    for others in ({}, {1.0: 2 * FLAT, 64.0: 9.0}, {0.1: 30.0}):
        missed = {b: level + m * 0.99 for b, m in (equals | others).items()}
        scores = {Candidate("gaussian", b * factor): 20 - m for b, m in missed.items()}
        chosen = (choose(scores).bandwidth or 0.0) / factor
        assert min(equals) <= chosen < 8.0
        assert chosen == choose({Candidate("gaussian", b): -m for b, m in equals.items()}).bandwidth


def rows(psnrs: dict[float, float]) -> list[Row]:
    return [
        Row(Candidate("gaussian", b), (Prediction(100, train=p - 1, held_out=p),))
        for b, p in psnrs.items()
    ]


def test_scale_models_have_their_say_and_their_level_has_none() -> None:
    table = rows({1.0: 15.0, 2.0: 20.0, 4.0: 21.0, 8.0: 22.0})
    reached = {2.0: 36.0, 4.0: 35.0, 8.0: 31.0}
    for level in (0.0, -20.0, 7.0):
        models = [
            ScaleModel(Candidate("gaussian", b), train=p, held_out=p + level)
            for b, p in reached.items()
        ]
        scores = scores_of(table, models, "generalise", 100)
        assert [c.bandwidth for c in scores] == [2.0, 4.0, 8.0]  # without a model: out
        found = list(scores.values())
        shifted = [23.0, 22.0, 18.0]  # what models reached, at the mean of the predictions, 21
        shares = [
            (s - p) / (m - p) for s, p, m in zip(found, (20.0, 21.0, 22.0), shifted, strict=True)
        ]
        assert shares == pytest.approx([shares[0]] * 3)
        assert 0.5 < shares[0] < 1  # the predictions have a say, and models a larger one
        gaps = [b - a for a, b in pairwise(scores_of(table, models, "fit", 100).values())]
        wanted = [b - a for a, b in pairwise(found)]
        assert gaps == pytest.approx(wanted, abs=0.05)  # but for the rounding to 8 bits


def test_a_scale_model_that_diverged_is_out_and_where_all_did_the_kernel_decides() -> None:
    table = rows({2.0: 20.0, 4.0: 21.0})
    models = [ScaleModel(Candidate("gaussian", b), -inf, -inf) for b in (2.0, 4.0)]
    alone = {c.bandwidth: s for c, s in scores_of(table, models, "generalise", 100).items()}
    assert alone == pytest.approx({2.0: 20.0, 4.0: 21.0})
    models[0] = ScaleModel(Candidate("gaussian", 2.0), 10.0, 10.0)
    left = {c.bandwidth: s for c, s in scores_of(table, models, "generalise", 100).items()}
    assert left == pytest.approx({2.0: 20.0})


def test_scale_models_are_of_the_bandwidths_predicted_best() -> None:
    signal = waves(5000, torch.arange(1, 1500).double() ** -1)
    options = {**SMALL, "steps": 40, "encodings": ["identity", "gaussian"], "batch_size": 512}
    bandwidths = [2, 4, 7, 14, 30, 60, 130]
    result = tune(signal, bandwidths=bandwidths, families=["mlp"], **options)
    predicted = {
        row.candidate: row.at(40).held_out
        for row in result.table
        if row.candidate.name == "gaussian"
    }
    best = sorted(predicted, key=lambda c: -predicted[c])[: len(result.models)]
    assert [m.candidate for m in result.models] == best
    assert 2 <= len(best) < len(bandwidths)
    assert result.choice in best
    assert result.flat_range is not None
    assert result.flat_range[0] <= result.bandwidth <= result.flat_range[1]
    alone = tune(signal, bandwidths=[2, 4, 7, 14, 30, 60, 130], pilot=False, **options)
    assert alone.models == ()


def test_fitting_wants_at_least_the_bandwidth_of_generalising() -> None:
    line = waves(256, torch.arange(1, 120).double() ** -2)
    held_out, train = (tune(line, goal=g, **QUICK) for g in ("generalise", "fit"))
    assert train.bandwidth >= held_out.bandwidth
    best = max(row.at(100).train for row in train.table)
    assert train.predicted.train >= best - FLAT  # each is as good as the best of what it was asked
    best = max(row.at(100).held_out for row in held_out.table)
    assert held_out.predicted.held_out >= best - FLAT


@pytest.mark.parametrize("shape", [(64,), (16, 18, 3), (33,), (15, 17)])
def test_sgd_is_gradient_flow(shape: tuple[int, ...]) -> None:
    """Each budget and each encoding, against a dense matrix at the exact time; odd sizes too."""
    signal = Signal(randn(*shape).cumsum(0) / 10)
    lr = 0.02
    result = tune(signal, optimiser="sgd", lr=lr, bandwidths=[1.5], **{**SMALL, "steps": 200})
    assert result.engine.startswith("exact")
    assert result.clock is None
    d, o = len(signal.shape), signal.n_outputs
    y = signal.values[signal.measurement.lattice]
    n = y.numel() // o
    for row in result.table:
        draw = seeded(0)
        net = mlp(row.candidate.build(d, 64, draw), o, width=64, depth=3, generator=draw)
        flow = GradientFlow(
            ntk(net, variances="default"),
            signal.grid[signal.measurement.lattice],
            y,
            structure="dense",
        )
        for p in row.predictions[:-1]:
            t = training_time(lr, p.steps, nn.MSELoss(), n_samples=n, n_outputs=o)
            train, held_out = signal.errors(flow.predict(signal.grid, [t])[0])
            assert p.train == pytest.approx(-10 * log10(train), abs=0.02)
            assert p.held_out == pytest.approx(-10 * log10(held_out), abs=0.02)


@pytest.mark.parametrize("bandwidths", [[4, 7], [10]])
def test_the_engines_agree_on_an_even_periodic_signal(bandwidths) -> None:
    """Frequencies rounded or not, for SGD, which both take alike: within 1 dB."""
    signal = waves(128, torch.arange(1, 20).double() ** -1)
    options = {**QUICK, "optimiser": "sgd", "lr": 0.02, "bandwidths": bandwidths}
    a, b = (tune(signal, engine=e, **options) for e in ("periodic", "exact"))
    assert a.engine.startswith("periodic (as asked)")
    assert b.engine.startswith("exact (as asked)")
    for one, two in zip(a.table, b.table, strict=True):
        for p, q in zip(one.predictions, two.predictions, strict=True):
            assert p.train == pytest.approx(q.train, abs=1)
            assert p.held_out == pytest.approx(q.held_out, abs=1)


def test_training_long_in_the_exact_engine_ends() -> None:
    """Adam's errors of 1e-100 have no time worth computing."""
    options = {**QUICK, "steps": 3000, "bandwidths": [4, 30]}
    result = tune(waves(64, torch.ones(6).double()), engine="exact", **options)
    assert all(p.held_out < 200 for row in result.table for p in row.predictions)


def test_the_flat_range_holds_the_choice_and_what_is_as_good() -> None:
    signal = waves(256, torch.arange(1, 120).double() ** -2)
    result = tune(signal, **QUICK)
    low, high = result.flat_range
    assert low <= result.bandwidth <= high
    scores = {r.candidate.bandwidth: r.at(100).held_out for r in result.table}
    best = max(scores.values())
    for bandwidth, score in scores.items():
        assert low <= bandwidth <= high or score < best - FLAT
    assert scores[low] >= best - FLAT
    assert scores[high] >= best - FLAT
    assert scores[result.bandwidth] >= best - FLAT


@pytest.mark.parametrize("pilot", [True, False])
def test_the_seed_decides_and_the_global_generator_is_not_touched(pilot: bool) -> None:
    signal = randn(32, 24).cumsum(0).cumsum(1) / 50
    options = {**QUICK, "pilot": pilot, "steps": 30}
    before = torch.random.get_rng_state()
    first, second = (tune(signal, generator=seeded(5), **options) for _ in range(2))
    other = tune(signal, generator=seeded(6), **options)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert first.table == second.table
    assert first.clock == second.clock
    assert torch.equal(first.encoding.frequencies, second.encoding.frequencies)
    assert first.table != other.table


def test_what_comes_back_is_what_was_asked() -> None:
    signal = Signal(randn(33, 24).cumsum(0).cumsum(1) / 50)
    said: list[str] = []
    result = tune(signal, steps=40, bandwidths=[2, 5], on_progress=said.append, **SMALL)
    assert result.steps == (2, 8, 40, inf)
    assert [str(r.candidate) for r in result.table] == [
        "identity", "basic", "positional 6", "gaussian 2", "gaussian 5",
    ]  # fmt: skip
    assert result.predicted.steps == 40
    assert result.predicted in [p for r in result.table for p in r.predictions]
    assert 10 ** (-result.baseline.held_out / 10) == pytest.approx(
        signal.errors(signal.bicubic())[1]
    )
    assert result.code == f"encoding = {result.choice.code(2, 64)}"
    assert any("last sample of each odd axis" in note for note in result.notes)
    assert any(note.startswith("no encoding: low-rank kernel of rank") for note in result.notes)
    assert result.clock.pilot.steps == 40
    assert said[:5] == [f"kernel of {row.candidate.label}" for row in result.table]
    assert said[5].startswith("short real run of ")
    if isinstance(result.encoding, encodings.Gaussian):
        assert not torch.equal(result.encoding.frequencies, result.encoding.frequencies.round())


@pytest.mark.parametrize(
    ("signal", "options"),
    [
        (randn(8), {}),
        (randn(9), {}),
        (randn(8, 9), {}),
        (randn(15, 18, 3), {}),
        (randn(16, 16, 4), {}),
        (randn(8, 9, 10), {}),
        (Signal(randn(20, 5), n_axes=1), {}),
        (randn(32).half(), {}),
        (randn(32), {"steps": 1}),
        (randn(32), {"batch_size": 10**6}),
        (randn(32), {"batch_size": 1}),
        (randn(32), {"n_frequencies": 1, "encodings": ["positional", "gaussian"]}),
        (randn(32), {"encodings": ["identity"]}),
        (randn(32), {"encodings": ["basic"], "optimiser": "sgd"}),
        (randn(32), {"lr": 1e3}),
    ],
    ids=str,
)
def test_odd_input_has_finite_predictions_that_beat_no_training(signal, options) -> None:
    """The first budget aside, training errors stay below the signal's own power."""
    result = tune(signal, **{**SMALL, "steps": 30, "depth": 2, **options})
    whole = signal if isinstance(signal, Signal) else Signal(signal)
    nothing = -10 * log10(float(whole.values[whole.measurement.lattice].square().mean()))
    for row in result.table:
        levels = [p.train for p in row.predictions[:-1]]
        assert all(level > nothing - 1 for level in levels)  # rounding drops a last odd sample
        assert levels == sorted(levels)
        assert all(-50 < p.held_out < 400 for p in row.predictions)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"goal": "best"}, ValueError, '`goal=\'best\'` must be "generalise" or "fit"'),
        ({"engine": "fast"}, ValueError, '`engine=\'fast\'` must be "auto", "periodic" or "exa'),
        ({"optimiser": "lion"}, ValueError, '`optimiser=\'lion\'` must be "adam" or "sgd"'),
        ({"lr": -1.0}, ValueError, "`lr=-1.0` must be a finite number above 0"),
        ({"steps": 0}, ValueError, "`steps=0` must be at least 1"),
        ({"batch_size": 0}, ValueError, "`batch_size=0` must be at least 1"),
        ({"width": 0}, ValueError, "`width=0` must be at least 1"),
        ({"depth": 0}, ValueError, "`depth=0` must be at least 1"),
        ({"n_frequencies": 0}, ValueError, "`n_frequencies=0` must be at least 1"),
        ({"encodings": ["fourier"]}, ValueError, r"`encodings=\('fourier',\)` must name some of"),
        ({"bandwidths": [1.0, -2.0]}, ValueError, "`bandwidths=-2.0` must be a finite number"),
        ({"bandwidths": []}, ValueError, r"`bandwidths=\(\)` leaves the gaussian encoding"),
    ],
)
def test_errors(unchecked, options, error, match: str) -> None:
    with pytest.raises(error, match=match):
        tune(randn(32), **options)


@pytest.mark.parametrize(
    ("signal", "error", "match"),
    [
        (torch.ones(32), ValueError, "`signal` is constant"),
        (randn(4, 4), ValueError, "`signal` is 4 x 4 samples; at least 8"),
        (randn(32) * torch.nan, ValueError, "`signal` has 32 NaN or infinite entries"),
        (torch.arange(32), TypeError, "`signal` must hold floating-point numbers"),
        ("photo.png", TypeError, "`signal` must be a torch.Tensor, got str"),
    ],
)
def test_signals_that_are_refused(unchecked, signal, error, match: str) -> None:
    with pytest.raises(error, match=match):
        tune(signal)


def test_an_unstable_learning_rate_is_noted_and_a_hopeless_one_refused() -> None:
    x = torch.arange(64) / 64
    signal = 0.5 + 0.4 * torch.sin(2 * torch.pi * 3 * x)
    options = {"optimiser": "sgd", "steps": 50, "encodings": ("basic",), "width": 16, "depth": 2}
    calm = tune(signal, lr=1e-3, **options)
    wild = tune(signal, lr=2.0, **options)
    assert not any("stability" in note for note in calm.notes)
    assert any("stability limit" in note for note in wild.notes)
    with pytest.raises(NumericalError, match=r"diverges at `lr=1000`.* stability limit"):
        tune(signal, lr=1e3, **options)


def test_a_flat_range_is_of_the_encoding_that_is_recommended() -> None:
    gaussian = [Candidate("gaussian", b) for b in (1.0, 2.0, 1e9)]
    near = dict(zip(gaussian, (20.0, 19.9, 3.0), strict=True))
    assert flat_range(near) == (1.0, 2.0)
    assert flat_range({**near, Candidate("positional", 16.0): 30.0}) is None
    assert flat_range({**near, gaussian[2]: float("nan")}) == (1.0, 2.0)
    with pytest.raises(NumericalError, match="smaller learning rate"):
        choose(dict.fromkeys(gaussian, float("nan")))


@pytest.mark.parametrize("engine", ["periodic", "exact"])
def test_adam_is_predicted_with_aligned_features(engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is that of kernels whose amplitudes `align` set; what is trained keeps its own."""
    signal = Signal(waves(256, torch.arange(1, 100).double() ** -2))
    options = {"steps": 150, "batch_size": 16, "encodings": ["gaussian"], "bandwidths": [3.0, 30.0]}
    result = tune(signal, engine=engine, pilot=False, n_frequencies=32, width=64, **options)
    assert float(result.encoding.amplitudes.std()) == 0
    module = sys.modules["ntkit.tuning.optimisers.adam"]
    monkeypatch.setattr(module, "align", lambda *_: None)
    plain = tune(signal, engine=engine, pilot=False, n_frequencies=32, width=64, **options)
    for with_, without in zip(result.table, plain.table, strict=True):
        assert with_.at(150) != without.at(150)


def test_the_short_run_is_of_what_learns_most_in_it() -> None:
    """A signal of few cycles: the small bandwidth, whatever is recommended in the end."""
    signal = Signal(waves(256, torch.ones(3).double()))
    for goal in ("generalise", "fit"):
        result = tune(signal, goal=goal, steps=100, encodings=["identity", "gaussian"],
                      bandwidths=[2.0, 60.0], n_frequencies=32, width=64)  # fmt: skip
        assert result.clock is not None
        assert result.clock.encoding == "gaussian 2"
