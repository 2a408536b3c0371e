"""The strength of total variation of one coil: the folds, and what one of them says for all."""

import pytest
import torch

from ntkit.measurements import Fourier
from ntkit.reconstruction import reconstruct
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
