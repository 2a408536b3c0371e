"""The strength of total variation of one coil: the folds, and what one of them says for all."""

import pytest
import torch

from ntkit.measurements import Fourier, Matrix
from ntkit.reconstruction import reconstruct
from ntkit.reconstruction.arguments import asked_system
from tests.cases import randn, seeded


def test_one_fold_of_many_data_tells_what_three_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scores are those of the data held out, not of all."""
    A = Fourier((24, 24), torch.rand(24, 24, generator=seeded(1)) > 0.4)
    square = torch.zeros(24, 24, 1, dtype=torch.complex128)
    square[6:17, 8:19] = 1
    y = A(square)[..., 0] + 0.1 * randn(*A.data_shape, dtype=torch.complex128)
    three = reconstruct(y, A, error_bars=False)
    monkeypatch.setattr("ntkit.reconstruction.one_coil._MANY", 10)
    one = reconstruct(y, A, error_bars=False)
    ratio = one.choice.total_variation / three.choice.total_variation
    assert 0.3 < ratio < 3.3
    assert one.table[0].score == pytest.approx(three.table[0].score, rel=0.2)


def test_one_coil_is_known_by_what_data_tell_of_each_other() -> None:
    """Rows of a Fourier matrix tell nothing of another, those of a random one do."""
    waves = torch.fft.fft(torch.eye(12, dtype=torch.complex128))[::2]
    others = randn(6, 12, dtype=torch.complex128)
    assert asked_system(Fourier((12,), torch.arange(12) % 2 == 0), None, None).has_one_coil
    assert asked_system(Matrix(waves), None, None).has_one_coil
    assert not asked_system(Matrix(others), None, None).has_one_coil
