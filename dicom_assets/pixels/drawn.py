"""Rectangles drawn into a picture, so that a person sees them on any ground, black, white or grey."""

from collections.abc import Iterable, Sequence

from PIL import Image, ImageDraw, ImageFont

from .boxes import Box

#: A bright line with a dark one along each side
_LINE, _EDGE = (255, 176, 0), (0, 0, 0)

Place = tuple[int, int, int, int]  #: left, top, right, bottom


def drawn(picture: Image.Image, labelled: Iterable[tuple[str, Box]], scale: float = 1.0) -> Image.Image:
    """picture in RGB with each box outlined, along its outer side, and its label, which may be empty, above it. scale:
    size of the picture by that of the image that the boxes are of."""
    picture = picture.convert("RGB")
    pen, thick = ImageDraw.Draw(picture), max(1, round(min(picture.size) / 256))
    outside: list[tuple[str, Place]] = []  #: label, and what the outline takes up
    places: list[Place] = []  #: of labels
    font = ImageFont.load_default(max(10, min(picture.size) // 24))
    for label, box in labelled:
        left, top, right, bottom = (round(side * scale) for side in (box.left, box.top, box.right, box.bottom))
        for out, width, colour in ((3 * thick, 3 * thick, _EDGE), (2 * thick, thick, _LINE)):
            place = (left - out, top - out, right + out - 1, bottom + out - 1)
            pen.rectangle(_inside(place, picture.size), outline=colour, width=width)
        if label:
            outside.append((label, (left - 3 * thick, top - 3 * thick, right + 3 * thick, bottom + 3 * thick)))
    for label, around in outside:
        _, _, width, height = pen.textbbox((0, 0), label, font=font)
        places.append(_place((width + 4, height + 3), around, places, picture.size))
        pen.rectangle(places[-1], fill=_LINE)
        pen.text((places[-1][0] + 2, places[-1][1] + 1), label, fill=_EDGE, font=font)
    return picture


def _place(size: tuple[int, int], box: Place, taken: Sequence[Place], within: tuple[int, int]) -> Place:
    """Of a label of this size: above or below the box where there is room, and not over another label; else in it."""
    (width, height), (left, top, right, bottom) = size, box
    for x, y in ((left, top - height), (left, bottom), (right - width, top - height), (right - width, bottom)):
        x = max(min(x, within[0] - width), 0)
        place = (x, y, x + width, y + height)
        if 0 <= y <= within[1] - height and not any(_meet(place, other) for other in taken):
            return place
    return max(left, 0), max(top, 0), max(left, 0) + width, max(top, 0) + height


def _meet(one: Place, other: Place) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _inside(place: Place, size: tuple[int, int]) -> Place:
    left, top, right, bottom = place
    return max(left, 0), max(top, 0), max(min(right, size[0] - 1), 0), max(min(bottom, size[1] - 1), 0)
