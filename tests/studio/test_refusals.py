"""Refusals have words in both languages, and name no flags, which the page does not have."""

from pathlib import Path

import pytest

pytest.importorskip("PIL")

from ntkit.studio import signals
from ntkit.studio.refusals import CODES, Refusal, refused
from tests.studio.browser import WEB


@pytest.mark.parametrize("language", ["en", "ko"])
def test_each_code_has_a_text(language: str) -> None:
    path = WEB / f"src/texts/{language}.ts"
    if not path.is_file():
        pytest.skip("the sources of the page are not here")
    text = path.read_text(encoding="utf-8")
    assert [code for code in CODES if f'"error.{code}"' not in text] == []


def test_advice_on_flags_does_not_reach_the_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def photo(path: Path, name: str) -> None:
        raise ValueError(f"`{path}` holds 3 pictures. Say which one with `--frame`, from 0.")

    monkeypatch.setattr(signals, "photo", photo)
    (tmp_path / "upload").write_bytes(b"GIF8")
    with pytest.raises(Refusal, match=r"`a\.gif` holds 3 pictures\. Save the part") as caught:
        signals.opened(tmp_path / "upload", "a.gif")
    assert caught.value.values == {"name": "a.gif", "detail": "`a.gif` holds 3 pictures."}
    assert refused(caught.value)["code"] == "part"
    monkeypatch.undo()
    with pytest.raises(Refusal, match="not an image") as caught:
        signals.received(b"no picture", "notes.png")
    assert refused(caught.value)["code"] == "file"
