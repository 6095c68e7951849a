"""Pictures of a frame, as a person may see it: stored values to 8 bits, by more than one way.

A picture that shows nothing is no evidence that there is no text: it is left out, and a frame of which nothing can be
shown although its pixels differ is an error.
"""

import warnings
from collections.abc import Iterator

import numpy as np
from pydicom import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi, convert_color_space

from ..errors import BadInput

#: So few pixels hold no character
_SPECK = 12
#: Grey levels (of 256) by which two pixels differ for a person
_VISIBLE = 16
#: A range this many times as wide shows less
_NARROWER = 1.5
#: Windows of a header that are used: more are presets of the same
_WINDOWS = 2
_PALETTES = tuple(f"{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue"))


def renderings(frame: np.ndarray, header: Dataset) -> list[np.ndarray]:
    """frame: as stored, (rows, columns) or (rows, columns, 3). Pictures, uint8 of the same shape or one of colours, the
    most usual first; one black one of a frame whose pixels are all equal. Raises BadInput PIXELS_NOT_SEEN."""
    return pictures(in_colour(frame, header), header)


def in_colour(frame: np.ndarray, header: Dataset) -> np.ndarray:
    """RGB, (rows, columns, 3), of a frame with a palette or in YBR; others as they are. A palette that cannot be used
    is not: indices are then taken as grey."""
    photometric = str(header.get("PhotometricInterpretation", ""))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if photometric == "PALETTE COLOR" and frame.ndim == 2:
                mapped = apply_color_lut(frame, _in_machine_order(header))[..., :3]
                return frame if not _has_content(_stretched(mapped)) else mapped
            if photometric.startswith(("YBR_FULL", "YBR_PARTIAL")) and frame.ndim == 3:
                return convert_color_space(_stretched_to_bits(frame, header), "YBR_FULL", "RGB")
        except Exception:  # a broken palette or one of an unknown kind
            pass
    return frame


def equalised(indices: np.ndarray) -> np.ndarray:
    """uint8, of a palette's indices: large even areas differ, whatever the distance of their values."""
    _, place, counts = np.unique(indices, return_inverse=True, return_counts=True)
    shares = (np.cumsum(counts) - counts / 2) / indices.size
    return (255 * shares).astype(np.uint8)[place].reshape(indices.shape)


def pictures(values: np.ndarray, header: Dataset) -> list[np.ndarray]:
    """values: of in_colour. As renderings."""
    if values.dtype.kind == "f":
        values = np.where(np.isfinite(values), values, 0)
    if _is_flat(values):
        return [np.zeros(values.shape, np.uint8)]
    ways = _of_colours(values, header) if values.ndim == 3 else _of_grey(values, header)
    kept: list[np.ndarray] = []
    for picture in ways:
        if _has_content(picture) and not any(_alike(picture, other) for other in kept):
            kept.append(picture)
    if not kept:
        raise BadInput("PIXELS_NOT_SEEN")
    return kept


def _of_grey(values: np.ndarray, header: Dataset) -> Iterator[np.ndarray]:
    """By the header's windows, by the whole range, by the range of most values where that is much narrower."""
    low, high = _usual_range(values)
    ways = [*_windowed(values, header), _stretched(values)]
    if float(values.max()) - float(values.min()) > _NARROWER * (high - low):
        ways.append(_stretched(values, low, high))
    inverted = header.get("PhotometricInterpretation") == "MONOCHROME1"
    yield from (255 - picture if inverted else picture for picture in ways)


def _of_colours(values: np.ndarray, header: Dataset) -> Iterator[np.ndarray]:
    """In colour, then the strongest channel of each pixel: letters of one colour on another of the same lightness show
    there."""
    bits = 8 * values.dtype.itemsize
    full = values if bits == 8 else _stretched(values)
    yield full
    if not _has_wide_range(full):
        yield _stretched(full)
    yield full.max(axis=2)


def _windowed(values: np.ndarray, header: Dataset) -> Iterator[np.ndarray]:
    """By the first table of the VOI LUT Sequence, by Window Center and Width; both are of the Modality LUT's values."""
    if "WindowCenter" not in header and "VOILUTSequence" not in header:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            meant = apply_modality_lut(values, header)
            if "VOILUTSequence" in header:
                yield _stretched(apply_voi(meant, header))
            windows = zip(_numbers(header, "WindowCenter"), _numbers(header, "WindowWidth"), strict=True)
            for centre, width in list(windows)[:_WINDOWS]:
                yield _stretched(meant, centre - width / 2, centre + width / 2)
        except Exception:  # contradictory tables or windows: the other ways need none
            return


def _numbers(header: Dataset, keyword: str) -> list[float]:
    value = header.get(keyword)
    return [float(one) for one in (value if isinstance(value, MultiValue) else [] if value is None else [value])]


def _stretched(values: np.ndarray, low: float | None = None, high: float | None = None) -> np.ndarray:
    """low to high, else the least to the largest, to 0 to 255."""
    low = float(values.min()) if low is None else low
    high = float(values.max()) if high is None else high
    scaled = (values.astype(np.float32) - low) * (255 / max(high - low, 1e-30))
    return np.clip(scaled, 0, 255).astype(np.uint8)


def _usual_range(values: np.ndarray) -> tuple[float, float]:
    """The values of all but the most extreme hundredth of pixels, among those that do not show the commonest value:
    text on an empty frame is not taken for an extreme."""
    sample = values.ravel()[:: max(1, values.size // 200_000)]
    distinct, counts = np.unique(sample, return_counts=True)
    commonest = distinct[counts.argmax()]
    others = sample[sample != commonest]
    if not others.size:
        return float(values.min()), float(values.max())
    low, high = np.percentile(others, (0.5, 99.5))
    return float(min(low, commonest)), float(max(high, commonest))


def _stretched_to_bits(frame: np.ndarray, header: Dataset) -> np.ndarray:
    """uint8, by Bits Stored."""
    bits = int(header.get("BitsStored") or 8)
    return frame.astype(np.uint8) if bits <= 8 else (frame >> bits - 8).astype(np.uint8)


def _in_machine_order(header: Dataset) -> Dataset:
    """Palettes are read as bytes; those of a big-endian file are turned round for a machine that is not."""
    if header.original_encoding[1] is not False:
        return header
    turned = Dataset()
    turned.update({element.tag: element for element in header.group_dataset(0x0028)})
    for keyword in _PALETTES:
        if keyword in turned:
            data = bytes(turned[keyword].value)
            setattr(turned, keyword, np.frombuffer(data[: len(data) // 2 * 2], "<u2").byteswap().tobytes())
    turned.set_original_encoding(*header.original_encoding, None)
    return turned


def _is_flat(values: np.ndarray) -> bool:
    """All pixels but a speck are equal."""
    first = values.reshape(-1, values.shape[2] if values.ndim == 3 else 1)
    middle = np.median(first[:: max(1, len(first) // 100_000)], axis=0).astype(values.dtype)
    return int((first != middle).any(axis=1).sum()) < _SPECK


def _has_content(picture: np.ndarray) -> bool:
    """Enough pixels are visibly unlike its usual one for a character."""
    pixels = picture.reshape(-1, picture.shape[2] if picture.ndim == 3 else 1)
    usual = np.median(pixels[:: max(1, len(pixels) // 100_000)], axis=0).astype(np.int16)
    return int((np.abs(pixels - usual) >= _VISIBLE).any(axis=1).sum()) >= _SPECK


def _has_wide_range(picture: np.ndarray) -> bool:
    return int(picture.max()) - int(picture.min()) >= 128


def _alike(picture: np.ndarray, other: np.ndarray) -> bool:
    """A person sees no more in the one than in the other."""
    if picture.ndim != other.ndim:
        other, picture = (p if p.ndim == 3 else p[:, :, None] for p in (other, picture))
    return int((np.abs(picture.astype(np.int16) - other) > 2 * _VISIBLE).sum()) < _SPECK
