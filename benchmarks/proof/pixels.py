"""Pixels: made, encoded in a transfer syntax, told apart again, and written on."""

import hashlib
import io
import random

import numpy as np
from PIL import Image, ImageDraw
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import pixel_array
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

#: Native syntaxes fit any object; most archives hold Explicit VR Little Endian.
NATIVE = (
    (ExplicitVRLittleEndian,) * 6
    + (ImplicitVRLittleEndian,) * 3
    + (DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian)
)
COMPRESSED = (RLELossless, JPEG2000Lossless)
#: Each in its turn for images with text in their pixels
BURNED_IN = (
    *(ExplicitVRLittleEndian, JPEGBaseline8Bit, RLELossless, JPEG2000Lossless),
    *(ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian),
)


def set_pixels(data_set: Dataset, rng: random.Random, rows: int, columns: int, *, bits: int, frames: int = 1) -> None:
    """A smooth gradient with noise that no other instance has. bits: 8, or 12 stored in 16."""
    noise = np.random.default_rng(rng.randrange(1 << 62))
    top = (1 << bits) - 1
    slope = np.linspace(0, top * 0.7, columns)[None, None, :] * np.linspace(0.4, 1, rows)[None, :, None]
    picture = (slope + noise.integers(0, top // 4, (frames, rows, columns))).astype(
        np.uint8 if bits == 8 else np.uint16
    )
    data_set.SamplesPerPixel, data_set.PhotometricInterpretation = 1, "MONOCHROME2"
    data_set.Rows, data_set.Columns = rows, columns
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit = (8, 8, 7) if bits == 8 else (16, bits, bits - 1)
    data_set.PixelRepresentation = 0
    if frames > 1:
        data_set.NumberOfFrames = frames
    put(data_set, picture)


def put(data_set: Dataset, picture: np.ndarray) -> None:
    """picture: (frames, rows, columns), uint8 or uint16."""
    encoded = picture.tobytes()
    data_set.add_new(0x7FE00010, "OB" if picture.dtype == np.uint8 else "OW", encoded + b"\0" * (len(encoded) % 2))


def encode(data_set: Dataset, transfer_syntax: str) -> None:
    """From native little endian; the file meta information has to be there."""
    if transfer_syntax == JPEGBaseline8Bit:
        _to_jpeg(data_set)
    elif transfer_syntax in COMPRESSED:
        data_set.compress(transfer_syntax, generate_instance_uid=False)
    elif transfer_syntax == ExplicitVRBigEndian and data_set.get("BitsAllocated") == 16:
        data_set.PixelData = np.frombuffer(data_set.PixelData, "<u2").astype(">u2").tobytes()
    data_set.file_meta.TransferSyntaxUID = transfer_syntax


def fits(data_set: Dataset, transfer_syntax: str) -> bool:
    """JPEG here for grey of 8 bits only, big endian for what has no palette, whose words would have to be turned."""
    if data_set.PhotometricInterpretation == "PALETTE COLOR":
        return transfer_syntax not in (JPEGBaseline8Bit, ExplicitVRBigEndian)
    is_grey = data_set.BitsAllocated == 8 and data_set.PhotometricInterpretation == "MONOCHROME2"
    return is_grey or transfer_syntax != JPEGBaseline8Bit


def _to_jpeg(data_set: Dataset) -> None:
    shape = (int(data_set.get("NumberOfFrames", 1)), data_set.Rows, data_set.Columns)
    frames = np.frombuffer(data_set.PixelData, np.uint8)[: np.prod(shape)].reshape(shape)
    streams = []
    for frame in frames:
        stream = io.BytesIO()
        Image.fromarray(frame).save(stream, "JPEG", quality=90)
        streams.append(stream.getvalue())
    data_set.PixelData = encapsulate(streams)
    data_set["PixelData"].VR = "OB"
    data_set["PixelData"].is_undefined_length = True
    data_set.LossyImageCompression = "01"


def fingerprint(data_set: Dataset) -> str:
    """Of the decoded pixels, whatever their encoding; of a report its measurements. Empty where there is neither, or
    they cannot be decoded."""
    if "PixelData" not in data_set:
        numbers = [str(item.NumericValue) for item in _measured(data_set)]
        return hashlib.sha256("|".join(numbers).encode()).hexdigest() if numbers else ""
    return fingerprint_outside(data_set, (0, 0, 0, 0))


def fingerprint_outside(data_set: Dataset, box: tuple[int, int, int, int]) -> str:
    """As fingerprint, of all but the pixels in the box (left, top, right, bottom) of all frames; it ends on the box."""
    picture = frames_of(data_set)
    if picture is None:
        return ""
    left, top, right, bottom = box
    little = picture.astype(picture.dtype.newbyteorder("<"))
    little[:, top:bottom, left:right] = 0
    digest = hashlib.sha256(f"{picture.shape}".encode() + little.tobytes()).hexdigest()
    return f"{digest} outside {left},{top},{right},{bottom}" if any(box) else digest


def frames_of(data_set: Dataset) -> np.ndarray | None:
    """As stored: (frames, rows, columns) or (frames, rows, columns, samples). None: they cannot be decoded."""
    try:
        picture = pixel_array(data_set, raw=True)
    except Exception:  # whatever a decoder raises on what a tool has written
        return None
    return picture if int(data_set.get("NumberOfFrames") or 1) > 1 else picture[None]


def meaning_of(data_set: Dataset) -> str:
    """What makes a picture of the numbers (PS3.3 C.7.6.3): Photometric Interpretation, bits, sign, palettes."""
    keywords = ("SamplesPerPixel", "PhotometricInterpretation", "BitsStored", "HighBit", "PixelRepresentation")
    parts = [str(data_set.get(keyword, "")) for keyword in keywords]
    for colour in ("Red", "Green", "Blue"):
        if (palette := data_set.get(f"{colour}PaletteColorLookupTableData")) is not None:
            described = data_set.get(f"{colour}PaletteColorLookupTableDescriptor", "")
            parts.append(f"{described} {hashlib.sha256(palette).hexdigest()[:16]}")
    return " ".join(parts)


def colour(data_set: Dataset) -> None:
    """A palette for pixels of 8 bits: PALETTE COLOR."""
    data_set.PhotometricInterpretation = "PALETTE COLOR"
    for at, name in enumerate(("Red", "Green", "Blue")):
        values = (np.arange(256) * (at + 1) * 80).astype("<u2")
        setattr(data_set, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(data_set, f"{name}PaletteColorLookupTableData", values.tobytes())


def _measured(data_set: Dataset) -> list[Dataset]:
    found = []
    for item in data_set.get("ContentSequence") or []:
        found += list(item.get("MeasuredValueSequence") or [])
        found += _measured(item)
    return found


def burn(data_set: Dataset, text: str) -> tuple[int, int, int, int]:
    """Write text on the pixels of all native frames; -> left, top, right, bottom of what was written."""
    dtype = np.uint8 if data_set.BitsAllocated == 8 else np.uint16
    shape = int(data_set.get("NumberOfFrames", 1)), data_set.Rows, data_set.Columns
    picture = np.frombuffer(data_set.PixelData, dtype)[: np.prod(shape)].reshape(shape).copy()
    letters = mask_of(text, shape[1:])
    picture[:, letters] = (1 << data_set.BitsStored) - 1
    put(data_set, picture)
    rows, columns = np.nonzero(letters.any(axis=1))[0], np.nonzero(letters.any(axis=0))[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def around(box: tuple[int, int, int, int], reach: int) -> tuple[int, int, int, int]:
    """The box and so many pixels around it."""
    left, top, right, bottom = box
    return max(0, left - reach), max(0, top - reach), right + reach, bottom + reach


def mask_of(text: str, shape: tuple[int, ...]) -> np.ndarray:
    """shape: rows, columns. Where the letters of the text are, as burn writes them."""
    canvas = Image.new("L", shape[::-1])
    ImageDraw.Draw(canvas).text((4, 4), text, fill=255)
    return np.asarray(canvas) > 127
