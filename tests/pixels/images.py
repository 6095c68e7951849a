"""Small images with text in them, one for each way of storing pixels: layouts (what a sample is), syntaxes (how a frame
is encoded) and ways of finding the frames."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
import openjpeg
from PIL import Image, ImageDraw
from pydicom import DataElement, Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.pixels import pack_bits
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid
from rle.utils import encode_pixel_data

ROWS, COLUMNS = 50, 66  #: neither whole blocks nor, of one bit, whole bytes
TEXT = (4, 4, 60, 17)  #: left, top, right, bottom of what is written on each frame

BLACK_ENTRY = 5  #: of the colour tables

_BASE = "1.2.840.10008.1.2"
NATIVE, RLE = f"{_BASE}.1", f"{_BASE}.5"


def jpeg(number: int) -> str:
    return f"{_BASE}.4.{number}"


@dataclass(frozen=True)
class Layout:
    """signed, planar: as Pixel Representation, Planar Configuration."""

    photometric: str = "MONOCHROME2"
    allocated: int = 8
    stored: int = 8
    signed: bool = False
    planar: bool = False

    @property
    def samples(self) -> int:
        return 1 if self.photometric.startswith(("MONO", "PALETTE")) else 3

    @property
    def stored_as(self) -> np.dtype:
        return np.dtype(f"{'i' if self.signed else 'u'}{max(self.allocated // 8, 1)}")


def stored_values(layout: Layout, frames: int) -> np.ndarray:
    """(frames, rows, columns[, samples]): a slope with noise, on which bright text stands. No value of it is at an end
    of the range, but of one bit."""
    low = -(1 << layout.stored - 1) if layout.signed else 0
    chance = np.random.default_rng(3)
    shape = (frames, ROWS, COLUMNS, layout.samples)
    values = np.linspace(0.3, 0.7, COLUMNS)[:, None] + chance.normal(0, 0.02, shape)
    picture = Image.new("1", (COLUMNS, ROWS))
    ImageDraw.Draw(picture).text((6, 5), "DOE^JOHN", fill=1)
    values[:, np.asarray(picture)] = 0.9
    whole = np.round(values * ((1 << layout.stored) - 1) + low).astype(layout.stored_as)
    return whole[..., 0] if layout.samples == 1 else whole


def write(path: Path, syntax: str, layout: Layout, frames: int = 1, table: str = "none", fragments: int = 1) -> None:
    """table: `basic` or `extended` offset table, or `none`. fragments: of each frame."""
    values = stored_values(layout, frames)
    dataset = _header(layout, frames)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax == NATIVE:
        dataset.PixelData = _native(values, layout)
    else:
        encode = _ENCODERS[syntax]
        encoded = [encode(np.ascontiguousarray(frame), layout) for frame in values]
        if table == "extended":
            dataset.PixelData, offsets, lengths = encapsulate_extended(encoded)
            dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = offsets, lengths
        else:
            dataset.PixelData = encapsulate(encoded, fragments_per_frame=fragments, has_bot=table == "basic")
        dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OW" if syntax == NATIVE and layout.allocated > 8 else "OB"
    dataset.save_as(path, enforce_file_format=True)


def _header(layout: Layout, frames: int) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid(None)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(None), generate_uid(None)
    dataset.PatientName, dataset.PatientID, dataset.Modality, dataset.ConversionType = "", "", "OT", "WSD"
    method = Dataset()
    method.CodeValue, method.CodingSchemeDesignator = "113100", "DCM"
    method.CodeMeaning = "Basic Application Confidentiality Profile"
    dataset.PatientIdentityRemoved, dataset.DeidentificationMethodCodeSequence = "YES", [method]
    dataset.BurnedInAnnotation = "YES"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = layout.samples, layout.photometric
    dataset.Rows, dataset.Columns = ROWS, COLUMNS
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = layout.allocated, layout.stored, layout.stored - 1
    dataset.PixelRepresentation = int(layout.signed)
    if layout.samples > 1:
        dataset.PlanarConfiguration = int(layout.planar)
    if frames > 1:
        dataset.NumberOfFrames = frames
    if layout.photometric == "PALETTE COLOR":
        light = (np.arange(256, dtype="<u2") << 8) + 500
        light[BLACK_ENTRY] = 0
        for colour in ("Red", "Green", "Blue"):
            dataset[f"{colour}PaletteColorLookupTableDescriptor"] = _element(colour, "Descriptor", [256, 0, 16], "US")
            dataset[f"{colour}PaletteColorLookupTableData"] = _element(colour, "Data", light.tobytes(), "OW")
    return dataset


def _element(colour: str, part: str, value: object, vr: str) -> DataElement:
    return DataElement(f"{colour}PaletteColorLookupTable{part}", vr, value)


def _native(values: np.ndarray, layout: Layout) -> bytes:
    if layout.allocated == 1:
        return pack_bits(values.ravel())
    if layout.photometric == "YBR_FULL_422":  # PS3.3 C.7.6.3.1.2: two luminances, then the chroma of both
        pairs = values.reshape(-1, 2, 3)
        return np.stack([pairs[:, 0, 0], pairs[:, 1, 0], pairs[:, 0, 1], pairs[:, 0, 2]], 1).tobytes()
    if layout.planar:
        values = values.transpose(0, 3, 1, 2)
    encoded = values.astype(values.dtype.newbyteorder("<")).tobytes()
    return encoded + b"\0" * (len(encoded) % 2)


def _rle(frame: np.ndarray, layout: Layout) -> bytes:
    return encode_pixel_data(
        frame.tobytes(),
        rows=ROWS,
        columns=COLUMNS,
        samples_per_pixel=layout.samples,
        bits_allocated=layout.allocated,
        number_of_frames=1,
        byteorder="<",
    )


def _dct(frame: np.ndarray, layout: Layout) -> bytes:
    if layout.samples == 1:
        return imagecodecs.jpeg8_encode(frame, 95, bitspersample=layout.stored)
    space = "RGB" if layout.photometric == "RGB" else "YCBCR"
    subsampling = {"YBR_FULL_422": "422", "YBR_FULL": "420"}.get(layout.photometric, "444")
    return imagecodecs.jpeg8_encode(frame, 95, colorspace=space, outcolorspace=space, subsampling=subsampling)


def _lossless(predictor: int) -> Callable[[np.ndarray, Layout], bytes]:
    def encode(frame: np.ndarray, layout: Layout) -> bytes:
        space = {"colorspace": "RGB", "outcolorspace": "RGB"} if layout.samples > 1 else {}
        words = frame.view(f"u{frame.itemsize}")
        return imagecodecs.jpeg8_encode(words, lossless=True, predictor=predictor, bitspersample=layout.stored, **space)

    return encode


def _jpeg_ls(near: int) -> Callable[[np.ndarray, Layout], bytes]:
    return lambda frame, layout: imagecodecs.jpegls_encode(frame.view(f"u{frame.itemsize}"), near)


def _jpeg_2000(**options: object) -> Callable[[np.ndarray, Layout], bytes]:
    def encode(frame: np.ndarray, layout: Layout) -> bytes:
        transform = layout.photometric in ("YBR_RCT", "YBR_ICT")
        return openjpeg.encode(frame, layout.stored, 1 if transform else 0, transform, **options)

    return encode


def _htj2k(**options: object) -> Callable[[np.ndarray, Layout], bytes]:
    def encode(frame: np.ndarray, layout: Layout) -> bytes:
        return imagecodecs.htj2k_encode(frame, rgb=layout.photometric in ("YBR_RCT", "YBR_ICT"), **options)

    return encode


_ENCODERS = {
    RLE: _rle,
    jpeg(50): _dct,
    jpeg(51): _dct,
    jpeg(57): _lossless(predictor=4),
    jpeg(70): _lossless(predictor=1),
    jpeg(80): _jpeg_ls(near=0),
    jpeg(81): _jpeg_ls(near=2),
    jpeg(90): _jpeg_2000(),
    jpeg(91): _jpeg_2000(compression_ratios=[4]),
    jpeg(201): _htj2k(reversible=True),
    jpeg(202): _htj2k(reversible=True, tlm=True),
    jpeg(203): _htj2k(reversible=False),
}
