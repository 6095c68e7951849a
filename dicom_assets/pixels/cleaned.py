"""What is to be done to one image's pixels, and what was done."""

import json
from dataclasses import asdict, dataclass

from .boxes import Box, parse

REVIEWER = "reviewer"


@dataclass(frozen=True)
class Plan:
    """sign: why triage called the image risky. boxes: to be blanked whatever is seen, as `device` rules and reviewers
    name them. whole: nothing of the image is to be seen. look: keep ultrasound regions alone, and blank all text that
    is found; otherwise boxes are all that is blanked. overlay_bits: clear what lies in bits that the pixels do not
    use."""

    sign: str
    boxes: tuple[Box, ...] = ()
    whole: bool = False
    look: bool = True
    overlay_bits: bool = False

    @classmethod
    def of_reviewer(cls, sign: str, rectangles: list[str], overlay_bits: bool) -> "Plan":
        """Exactly what a person who has looked says. rectangles: as Box.text gives them."""
        return cls(sign, tuple(parse(text, REVIEWER) for text in rectangles), look=False, overlay_bits=overlay_bits)


@dataclass(frozen=True)
class Cleaned:
    """Nothing in it identifies. sign: as in Plan. how: `native`, `rle`, `jpeg blocks`, `recoded`, or `header only`
    where nothing was blanked. boxes: (Box.text, Box.source) of what was. frames: how many the image has. texts: places
    where text was found. own_values: how many of them show a value of the patient's. syntax: `from>to`, UIDs, where
    the transfer syntax is another one now."""

    sign: str
    how: str
    boxes: tuple[tuple[str, str], ...]
    frames: int
    texts: int = 0
    own_values: int = 0
    syntax: str = ""

    @classmethod
    def of(cls, text: str) -> "Cleaned":
        """Of what Cleaned.text gave."""
        values = json.loads(text)
        return cls(**values | {"boxes": tuple((box, source) for box, source in values["boxes"])})

    @property
    def text(self) -> str:
        """As StagedInstance.pixels has it."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @property
    def blanked(self) -> tuple[Box, ...]:
        return tuple(parse(text, source) for text, source in self.boxes)
