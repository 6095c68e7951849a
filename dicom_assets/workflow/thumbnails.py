"""Small pictures of de-identified images, for the report."""

import io
import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut

from ..pixels.boxes import ALL_FRAMES, Box, of_frame
from ..pixels.drawn import drawn
from .instance_checks import number, text
from .pixel_identity import frames_of, pixel_keyword
from .verdict import Thumbnail

_SIDE = 256  # pixels


def thumbnail_of(dataset: Dataset, study_key: str, blanked: Sequence[Box] = ()) -> Thumbnail | None:
    """The middle frame, or the one of which most was blanked, that outlined; None where there is nothing to see, or the
    file itself says that text is burned in. dataset: as it goes out. blanked: of all frames or of some."""
    if pixel_keyword(dataset) != "PixelData" or text(dataset, "BurnedInAnnotation") == "YES":
        return None
    at = _frame_to_show(number(dataset, "NumberOfFrames", 1), blanked)
    try:
        frame = next(frames_of(dataset, indices=[at], colour=True))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = _as_bytes(frame, dataset)
    except Exception:  # a picture that cannot be made, for whatever reason, is left out
        return None
    if picture.max() == picture.min():
        return None
    image = Image.fromarray(picture)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    if outlined := of_frame(blanked, at):
        image = drawn(image, [("", box) for box in outlined], image.width / picture.shape[1])
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    modality = text(dataset, "Modality")
    return Thumbnail(study_key, str(dataset.SOPInstanceUID), modality, *image.size, file.getvalue(), len(outlined))


def _frame_to_show(frames: int, blanked: Sequence[Box]) -> int:
    """The middle one, unless something was blanked in some frames alone."""
    own = Counter(box.frame for box in blanked if box.frame != ALL_FRAMES)
    return min(own, key=lambda frame: (-own[frame], frame)) if own else frames // 2


def _as_bytes(frame: np.ndarray, dataset: Dataset) -> np.ndarray:
    """(rows, columns) or (rows, columns, 3), uint8: brightness from the 1st to the 99.5th percentile."""
    kind = text(dataset, "PhotometricInterpretation")
    if kind == "PALETTE COLOR":
        frame = apply_color_lut(frame, dataset)
    if frame.ndim == 3:
        shift = max(0, int(np.iinfo(frame.dtype).bits) - 8) if frame.max() > 255 else 0
        return (frame >> shift).astype(np.uint8)
    values = frame.astype(np.float64)
    low, high = np.percentile(values, (1, 99.5))
    if low == high:
        low, high = values.min(), values.max()
    scaled = np.clip((values - low) / max(high - low, 1e-9), 0, 1)
    if kind == "MONOCHROME1":
        scaled = 1 - scaled
    return (scaled * 255).round().astype(np.uint8)
