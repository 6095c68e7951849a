"""What a rectangle of a picture reads: the recognition network (SVTR, PP-OCR) of the same wheel as the detector's.

Its text is compared and counted where it is made. It is never written, logged or raised.
"""

import numpy as np

from .models import session

_HEIGHT = 48
_WIDEST = 1600


class Recognizer:
    """Latin letters, digits, Chinese; other scripts come out as what looks similar, with less confidence. Raises
    BadInput PIXELS_EXTRA_MISSING without the extra `pixels`."""

    def __init__(self) -> None:
        self._network = session("ch_PP-OCRv4_rec_infer.onnx")
        characters = self._network.get_modelmeta().custom_metadata_map["character"].split("\n")
        self._characters = ["", *characters, " "]

    def read(self, picture: np.ndarray, *, both_ways: bool = False) -> tuple[str, float]:
        """picture: one line of text, uint8 (rows, columns) or (rows, columns, 3). Its characters, and the mean of how
        sure the network is of each: 0 to 1, 0 where there is none. Upright lines are turned, both ways; both_ways: a
        level one may be upside down, too."""
        rows, columns = picture.shape[:2]
        turns = (1, 3) if rows >= 1.5 * columns else (0, 2) if both_ways else (0,)
        return max((self._line(np.rot90(picture, turn)) for turn in turns), key=lambda line: line[1])

    def _line(self, picture: np.ndarray) -> tuple[str, float]:
        from PIL import Image

        width = min(max(1, round(picture.shape[1] * _HEIGHT / picture.shape[0])), _WIDEST)
        line = np.asarray(Image.fromarray(picture).convert("RGB").resize((width, _HEIGHT), Image.Resampling.BICUBIC))
        given = np.pad(line.astype(np.float32) / 127.5 - 1, ((0, 0), (0, max(0, 96 - width)), (0, 0)))
        steps = self._network.run(None, {"x": np.ascontiguousarray(given.transpose(2, 0, 1)[None, ::-1])})[0][0]
        best, sure = steps.argmax(axis=1), steps.max(axis=1)
        kept = (best != 0) & (best != np.concatenate(([0], best[:-1])))
        text = "".join(self._characters[index] for index in best[kept])
        return text, float(sure[kept].mean()) if text else 0.0
