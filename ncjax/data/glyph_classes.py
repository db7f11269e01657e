"""Which letters the glyphs data set has: those of the DejaVu faces that can be told apart in every one of them."""

import functools
import hashlib
import unicodedata
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from PIL import Image, ImageDraw, ImageFont

FACES = tuple(
    f"DejaVu{family}"
    for family in (
        "Sans",
        "Sans-Bold",
        "Sans-Oblique",
        "Sans-BoldOblique",
        "SansMono",
        "SansMono-Bold",
        "SansMono-Oblique",
        "SansMono-BoldOblique",
        "Serif",
        "Serif-Bold",
        "Serif-Italic",
        "Serif-BoldItalic",
    )
)
"""The text faces of DejaVu that matplotlib ships."""

SOURCE, VALIDATION, TARGET = 64, 16, 20
"""Numbers of classes, as CIFAR-FS and mini-ImageNet have."""

_FONT_SIZE = 64
_GRID = 16
_ALIKE = 0.94  # least cosine of two blurred letters that are taken for one


def letters_of_all_faces() -> list[str]:
    """Letters and decimal digits that every face has, without those composed of others (accents, ligatures).

    Returns:
        Characters in the order of their code points.

    Examples:
        >>> letters = letters_of_all_faces()
        >>> "A" in letters, "Ä" in letters
        (True, False)
    """
    from matplotlib import ft2font

    shared = set.intersection(*(set(ft2font.FT2Font(str(_face_path(face))).get_charmap()) for face in FACES))
    letters = [chr(code) for code in sorted(shared)]
    return [
        letter
        for letter in letters
        if unicodedata.category(letter) in {"Lu", "Ll", "Lt", "Lo", "Nd"}
        and unicodedata.normalize("NFKD", letter) == letter
    ]


def render(letter: str, face: str) -> Image.Image:
    """A letter's ink, white on black, cut to its bounding box.

    Args:
        letter: one character that the face has.
        face: one of `FACES`.

    Returns:
        A grey image, about 50 pixels high.

    Examples:
        >>> render("l", "DejaVuSans").size
        (6, 49)
    """
    canvas = Image.new("L", (3 * _FONT_SIZE, 2 * _FONT_SIZE))
    ImageDraw.Draw(canvas).text((_FONT_SIZE, _FONT_SIZE // 2), letter, fill=255, font=_font(face))
    return canvas.crop(canvas.getbbox())


@functools.cache
def distinct_letters() -> tuple[str, ...]:
    """Letters that no face, and no pair of faces, makes look alike.

    Letters are compared by the cosine of their blurred ink, brought to the same position and size, once with their
    proportions and once stretched to a square (so `o` and `O`, or `l` and `I`, are one). Two are alike if they come
    close in *any* pair of faces. Of letters that are alike the first by code point stays.

    Returns:
        Characters in the order of their code points, at least 100.

    Examples:
        >>> letters = distinct_letters()
        >>> "0" in letters, "O" in letters, "o" in letters
        (True, False, False)
    """
    letters = letters_of_all_faces()
    descriptions = np.stack([np.stack([_describe(render(letter, face)) for face in FACES]) for letter in letters])
    kept = [0]
    for candidate in range(1, len(letters)):
        # [kept, face, normalisation, pixel] against [face, normalisation, pixel]: every pair of faces
        likeness = max(
            float((descriptions[kept, :, way].reshape(-1, _GRID**2) @ descriptions[candidate, :, way].T).max())
            for way in range(2)
        )
        if likeness < _ALIKE:
            kept.append(candidate)
    return tuple(letters[i] for i in kept)


def standard_classes() -> dict[str, tuple[str, ...]]:
    """The split by class: 64 classes to train on, 16 to choose by, 20 to report transfer on.

    Letters are drawn by the hash of their code point, so the split is the same everywhere, and a letter more or less
    (another version of the fonts) moves few others.

    Returns:
        Class names of `source`, `validation` and `target`, disjoint, each in the order of code points.

    Examples:
        >>> {name: len(letters) for name, letters in standard_classes().items()}
        {'source': 64, 'validation': 16, 'target': 20}
    """
    drawn = sorted(distinct_letters(), key=lambda letter: hashlib.sha256(letter.encode()).digest())
    ends = np.cumsum([0, SOURCE, VALIDATION, TARGET])
    return {
        name: tuple(sorted(drawn[ends[i] : ends[i + 1]])) for i, name in enumerate(("source", "validation", "target"))
    }


def _describe(ink: Image.Image) -> Float32[np.ndarray, "2 pixels"]:
    scale = _GRID / max(ink.size)
    width, height = (max(1, round(side * scale)) for side in ink.size)
    centred = Image.new("L", (_GRID, _GRID))
    centred.paste(ink.resize((width, height), Image.Resampling.BOX), ((_GRID - width) // 2, (_GRID - height) // 2))
    stretched = ink.resize((_GRID, _GRID), Image.Resampling.BOX)
    pixels = np.pad(
        np.stack([np.asarray(centred, np.float32), np.asarray(stretched, np.float32)]), ((0, 0), (1, 1), (1, 1))
    )
    rows = pixels[:, :-2] + 2 * pixels[:, 1:-1] + pixels[:, 2:]
    blurred = (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]).reshape(2, -1)
    return blurred / np.linalg.norm(blurred, axis=1, keepdims=True)


def _face_path(face: str) -> Path:
    import matplotlib as mpl

    return Path(mpl.get_data_path()) / "fonts" / "ttf" / f"{face}.ttf"


@functools.cache
def _font(face: str) -> ImageFont.FreeTypeFont:
    # The basic layout does not depend on whether libraqm is installed.
    return ImageFont.truetype(str(_face_path(face)), _FONT_SIZE, layout_engine=ImageFont.Layout.BASIC)
