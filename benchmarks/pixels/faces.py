"""Typefaces, from today's to the dot matrices of old devices, and the ink that a text is in one."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

#: Dots of a 5 x 7 matrix, row by row from the top, each row's five dots as the bits of two hexadecimal digits
_MATRIX = {
    "A": "0E11111F111111", "B": "1E11111E11111E", "C": "0E11101010110E", "D": "1C12111111121C", "E": "1F10101E10101F",
    "F": "1F10101E101010", "G": "0E11101713110F", "H": "1111111F111111", "I": "0E04040404040E", "J": "0702020202120C",
    "K": "11121418141211", "L": "1010101010101F", "M": "111B1515111111", "N": "11191513111111", "O": "0E11111111110E",
    "P": "1E11111E101010", "Q": "0E11111115120D", "R": "1E11111E141211", "S": "0F10100E01011E", "T": "1F040404040404",
    "U": "1111111111110E", "V": "11111111110A04", "W": "1111111515150A", "X": "11110A040A1111", "Y": "1111110A040404",
    "Z": "1F01020408101F", "0": "0E11131519110E", "1": "040C040404040E", "2": "0E11010204081F", "3": "1F02040201110E",
    "4": "02060A121F0202", "5": "1F101E0101110E", "6": "0608101E11110E", "7": "1F010204080808", "8": "0E11110E11110E",
    "9": "0E11110F01020C", " ": "00000000000000", ".": "000000000C0C00", ",": "000000000C0408", ":": "000C0C000C0C00",
    "-": "0000001F000000", "/": "00010204081000", "^": "040A1100000000",
}  # fmt: skip


@dataclass(frozen=True)
class Face:
    """file: of a TrueType font, as Pillow finds it; empty for one of the two that are bitmaps: `matrix`, `bitmap`."""

    name: str
    file: str = ""

    def ink(self, text: str, size: int) -> np.ndarray:
        """How far each pixel is covered: float32 (rows, columns), 0 to 1, cut to the ink. size: pixels of the font's
        em, as in `font: 10px`; capitals are some 0.7 of it. Bitmaps come in whole multiples of 7 and 11 dots."""
        if self.file:
            drawn = _typeset(text, _font(self.file, size))
        elif self.name == "matrix":
            drawn = np.kron(_dots(text), np.ones((max(1, size // 9),) * 2, np.float32))
        else:
            drawn = np.kron(_typeset(text, ImageFont.load_default_imagefont()), np.ones((max(1, size // 11),) * 2))
        rows, columns = np.nonzero(drawn.any(axis=1))[0], np.nonzero(drawn.any(axis=0))[0]
        return drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)


LATIN = (
    Face("DejaVu Sans", "DejaVuSans.ttf"),
    Face("DejaVu Sans Bold", "DejaVuSans-Bold.ttf"),
    Face("DejaVu Sans Mono", "DejaVuSansMono.ttf"),
    Face("DejaVu Serif", "DejaVuSerif.ttf"),
    Face("DejaVu Sans Condensed", "DejaVuSansCondensed.ttf"),
    Face("Liberation Sans", "LiberationSans-Regular.ttf"),
    Face("Liberation Sans Bold", "LiberationSans-Bold.ttf"),
    Face("Liberation Sans Narrow", "LiberationSansNarrow-Regular.ttf"),
    Face("Liberation Mono", "LiberationMono-Regular.ttf"),
    Face("Liberation Serif", "LiberationSerif-Regular.ttf"),
    Face("Liberation Serif Italic", "LiberationSerif-Italic.ttf"),
)
BITMAPS = (Face("matrix"), Face("bitmap"))  #: ASCII only, the first of them capitals only
EAST_ASIAN = (Face("WenQuanYi Micro Hei", "wqy-microhei.ttc"),)


def turned(ink: np.ndarray, degrees: float) -> np.ndarray:
    """Counter-clockwise, cut to the ink again."""
    if degrees % 90 == 0:
        return np.rot90(ink, int(degrees // 90)).copy()
    image = Image.fromarray(ink).rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    drawn = np.clip(np.asarray(image), 0, 1)
    rows, columns = np.nonzero((drawn > 0.1).any(axis=1))[0], np.nonzero((drawn > 0.1).any(axis=0))[0]
    return drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


@cache
def _font(file: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(file, size)


def _typeset(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> np.ndarray:
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (int(right - left) + 8, int(bottom - top) + 8))
    ImageDraw.Draw(image).text((4 - left, 4 - top), text, fill=255, font=font)
    return np.asarray(image, np.float32) / 255


def _dots(text: str) -> np.ndarray:
    """float32 (7, 6 a letter)."""
    letters = []
    for letter in text.upper():
        rows = bytes.fromhex(_MATRIX[letter])
        letters.append([[row >> 4 - column & 1 if column < 5 else 0 for column in range(6)] for row in rows])
    return np.concatenate(np.array(letters, np.float32), axis=1)
