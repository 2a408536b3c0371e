"""Arrays from files: what is none is refused without advice to run it."""

from pathlib import Path

import numpy as np
import pytest

from ntkit.tasks.files.arrays import array_shape, read_array


@pytest.mark.parametrize("read", [read_array, array_shape])
def test_other_formats_and_objects_are_refused(read, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_text("1 2 3")
    with pytest.raises(ValueError, match=r"another format, or holds objects instead of numbers\.$"):
        read(path)
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"no plain NumPy array|holds object"):
        read(path)
