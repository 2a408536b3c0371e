"""Write the photo that `make demo` tunes: scikit-image's astronaut, 512 x 512 RGB.

The photo ships inside the installed package; nothing is downloaded.

    python examples/demo_photo.py runs/astronaut.png
"""

import sys
from pathlib import Path

from PIL import Image
from skimage.data import astronaut


def main() -> None:
    """Write the PNG where the first argument says, and print its path."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/astronaut.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(astronaut()).save(path)
    print(path)


if __name__ == "__main__":
    main()
