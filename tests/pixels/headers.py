"""What triage is told of an image, and by whom."""

from dataclasses import dataclass, field

CT, MR, US = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.6.1"
EXPLICIT = "1.2.840.10008.1.2.1"


@dataclass
class Header:
    """Of a CT image that nothing speaks against."""

    sop_class_uid: str = CT
    modality: str = "CT"
    values: dict[str, str] = field(default_factory=dict)
    has_pixels: bool = True
    transfer_syntax_uid: str = EXPLICIT


@dataclass
class Site:
    """The shipped choices, but for what a test changes."""

    images: dict[str, str] = field(default_factory=dict)
    faces: str = "withhold"
    device_rules: str = ""
    pixels: str = "clean"

    def __post_init__(self) -> None:
        shipped = {"radiographs": "clean", "photographs": "review", "videos": "review", "audio": "review"}
        self.images = shipped | self.images
        self.digest = repr(self)
