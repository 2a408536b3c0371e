"""Small files of every kind, made here, for the tests of the readers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.tasks.solids import sphere

__all__ = ["SERIES", "WRITE", "colours", "dicom_series", "moving", "read"]


def colours(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def moving(frames: int = 10, height: int = 12, width: int = 16) -> np.ndarray:
    """A bright bar that goes to the right, gray, `[t, h, w]`."""
    found = np.full((frames, height, width), 20, np.uint8)
    for k in range(frames):
        found[k, :, k % width] = 200 + k
    return found


def read(path: Path) -> object:
    """What the reader for the file's kind makes of it."""
    from ntkit.tasks import files

    return getattr(files, f"read_{files.kind_of(path)}")(path)


def _picture(form: str, mode: str = "RGB", **options: object) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        from PIL import Image

        Image.fromarray(colours(14, 12, 3)).convert(mode).save(path, format=form, **options)

    return write


def _animation(form: str, **options: object) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        from PIL import Image

        frames = [Image.fromarray(frame) for frame in moving()]
        frames[0].save(path, format=form, save_all=True, append_images=frames[1:], **options)

    return write


def _deep_tiff(path: Path) -> None:
    import tifffile

    values = np.random.default_rng(0).integers(0, 60000, (14, 12, 3), dtype=np.uint16)
    tifffile.imwrite(path, values, photometric="rgb")


def _sound(form: str, subtype: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        import soundfile

        t = np.arange(1500) / 8000
        with path.open("wb") as file:
            soundfile.write(file, 0.5 * np.sin(9000 * t * t), 8000, subtype, format=form)

    return write


def _nifti(path: Path) -> None:
    import nibabel

    values = np.random.default_rng(0).integers(-900, 900, (9, 10, 8)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([1.0, 2.0, 3.0, 1.0])), path)


def _film(path: Path) -> None:
    import av

    with av.open(str(path), "w") as film:
        stream = film.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        for k in range(10):
            values = np.full((16, 32, 3), 20 * k, np.uint8)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(values, format="rgb24")))
        film.mux(stream.encode())


def _table(path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(20, 3)).tolist()
    path.write_text("x,y,height\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows))


def _columns(path: Path) -> None:
    draw = np.random.default_rng(0)
    np.savez(path, points=draw.random((12, 2)), values=draw.random(12))


def _slice_file(path: Path) -> None:
    dicom_series(path.parent / "one", frames=8)
    (path.parent / "one" / "0.dcm").rename(path)


def _mesh(path: Path) -> None:
    from ntkit.tasks.files import write_mesh

    write_mesh(path, *sphere(1))


WRITE: dict[str, tuple[str, Callable[[Path], None]]] = {
    "a.png": ("PIL", _picture("PNG")),
    "a.jpg": ("PIL", _picture("JPEG")),
    "a.webp": ("PIL", _picture("WEBP")),
    "a.avif": ("PIL", _picture("AVIF")),
    "a.tif": ("PIL", _picture("TIFF", compression="tiff_lzw")),
    "deep.tif": ("tifffile", _deep_tiff),
    "stack.tif": ("PIL", _animation("TIFF")),
    "a.gif": ("PIL", _animation("GIF", duration=50)),
    "moving.png": ("PIL", _animation("PNG", duration=50)),
    "a.wav": ("soundfile", _sound("WAV", "PCM_16")),
    "a.flac": ("soundfile", _sound("FLAC", "PCM_16")),
    "a.ogg": ("soundfile", _sound("OGG", "VORBIS")),
    "a.nii": ("nibabel", _nifti),
    "a.nii.gz": ("nibabel", _nifti),
    "a.dcm": ("pydicom", _slice_file),
    "a.mp4": ("av", _film),
    "a.csv": ("numpy", _table),
    "a.npz": ("numpy", _columns),
    "a.ply": ("trimesh", _mesh),
    "a.obj": ("trimesh", _mesh),
    "a.stl": ("trimesh", _mesh),
    "a.glb": ("trimesh", _mesh),
    "a.off": ("trimesh", _mesh),
}
"""Which library a file needs, and what writes it."""

SERIES = {"n": 9, "rows": 10, "columns": 8}


def dicom_series(
    folder: Path, *, frames: int = 1, edit: Callable[[int, object], None] | None = None
) -> np.ndarray:
    """Write slices 2.5 mm apart, in an order that is not their place; the HU `[slice, row, column]`.

    Args:
        folder: Where to write; it is made.
        frames: Above 1, one file of so many frames.
        edit: Called with the number of each slice and its data set before it is saved.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    folder.mkdir(exist_ok=True)
    n, rows, columns = (1 if frames > 1 else SERIES["n"]), SERIES["rows"], SERIES["columns"]
    draw = np.random.default_rng(0)
    stored = draw.integers(0, 2000, (n, frames, rows, columns), dtype=np.uint16)
    series = generate_uid()
    for k in range(n):
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.file_meta.MediaStorageSOPClassUID = CTImageStorage
        data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, generate_uid()
        data.SeriesInstanceUID, data.Modality = series, "CT"
        data.Rows, data.Columns, data.SamplesPerPixel = rows, columns, 1
        data.PhotometricInterpretation = "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
        data.PixelRepresentation = 0
        data.PixelSpacing, data.SliceThickness = [0.5, 0.75], 5.0
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.ImagePositionPatient = [-10.0, -20.0, 30 + 2.5 * k]
        data.InstanceNumber = n - k
        data.RescaleSlope, data.RescaleIntercept = 1, -1024
        if frames > 1:
            data.NumberOfFrames = frames
        data.PixelData = stored[k].tobytes()
        if edit:
            edit(k, data)
        data.save_as(folder / f"{(7 * k) % n}.dcm", enforce_file_format=True)
    return stored.reshape(-1, rows, columns) - 1024.0
