"""Which presentation contexts are proposed: so many that the archive can send each instance in the syntax it holds."""

from collections.abc import Iterable, Sequence

from pynetdicom import AllStoragePresentationContexts

VERIFICATION = "1.2.840.10008.1.1"
#: Study Root Query/Retrieve Information Model, PS3.4 C.6.2
FIND_MODEL = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE_MODEL = "1.2.840.10008.5.1.4.1.2.2.2"
GET_MODEL = "1.2.840.10008.5.1.4.1.2.2.3"

#: Explicit and Implicit VR Little Endian, in this order of preference.
UNCOMPRESSED = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]

#: Proposed for every storage class. Never Deflated: it inflates without a limit.
USUAL_SYNTAXES = (
    *UNCOMPRESSED,
    "1.2.840.10008.1.2.4.50",  # JPEG baseline
    "1.2.840.10008.1.2.4.51",  # JPEG extended
    "1.2.840.10008.1.2.4.57",  # JPEG lossless
    "1.2.840.10008.1.2.4.70",  # JPEG lossless, first-order prediction
    "1.2.840.10008.1.2.4.80",  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.81",  # JPEG-LS near-lossless
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.4.201",  # HTJ2K lossless
    "1.2.840.10008.1.2.4.202",  # HTJ2K lossless RPCL
    "1.2.840.10008.1.2.4.203",  # HTJ2K
    "1.2.840.10008.1.2.5",  # RLE
    "1.2.840.10008.1.2.2",  # Explicit VR Big Endian
)

#: Proposed as far as there is room, in this order.
RARE_SYNTAXES = (
    "1.2.840.10008.1.2.4.102",  # MPEG-4 high profile 4.1
    "1.2.840.10008.1.2.4.103",  # MPEG-4 BD-compatible
    "1.2.840.10008.1.2.4.100",  # MPEG-2 main level
    "1.2.840.10008.1.2.4.101",  # MPEG-2 high level
    "1.2.840.10008.1.2.4.104",  # MPEG-4 4.2 for 2D video
    "1.2.840.10008.1.2.4.105",  # MPEG-4 4.2 for 3D video
    "1.2.840.10008.1.2.4.106",  # MPEG-4 4.2 stereo
    "1.2.840.10008.1.2.4.107",  # HEVC main
    "1.2.840.10008.1.2.4.108",  # HEVC main 10
    "1.2.840.10008.1.2.4.92",  # JPEG 2000 multi-component lossless
    "1.2.840.10008.1.2.4.93",  # JPEG 2000 multi-component
)

ALL_SYNTAXES = (*USUAL_SYNTAXES, *RARE_SYNTAXES)

#: Every storage SOP class that pynetdicom knows, and those retired ones that archives still hold.
STORAGE_CLASSES = (
    *(str(context.abstract_syntax) for context in AllStoragePresentationContexts),
    "1.2.840.10008.5.1.4.1.1.3",  # Ultrasound Multi-frame (retired)
    "1.2.840.10008.5.1.4.1.1.5",  # Nuclear Medicine (retired)
    "1.2.840.10008.5.1.4.1.1.6",  # Ultrasound (retired)
)

#: Every storage class of the standard begins so, those of later editions among them, and no other service.
_STANDARD_STORAGE = "1.2.840.10008.5.1.4.1.1."


class PushedClasses:
    """What senders may push: every storage class of the standard, and further ones by UID. No private class: what its
    instances hold is known to no rule, and a sender that hears so at once is better served than one whose instances
    end in quarantine."""

    def __init__(self, *further: str) -> None:
        self._known = frozenset((*STORAGE_CLASSES, *further))

    def __contains__(self, uid: str) -> bool:
        return uid in self._known or uid.startswith(_STANDARD_STORAGE)


#: Proposed, in this order, where the archive cannot say what a study holds.
USUAL_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2",  # CT
    "1.2.840.10008.5.1.4.1.1.4",  # MR
    "1.2.840.10008.5.1.4.1.1.128",  # PET
    "1.2.840.10008.5.1.4.1.1.1",  # CR
    "1.2.840.10008.5.1.4.1.1.1.1",  # DX for presentation
    "1.2.840.10008.5.1.4.1.1.6.1",  # US
    "1.2.840.10008.5.1.4.1.1.3.1",  # US multi-frame
    "1.2.840.10008.5.1.4.1.1.7",  # secondary capture
    "1.2.840.10008.5.1.4.1.1.2.1",  # enhanced CT
    "1.2.840.10008.5.1.4.1.1.4.1",  # enhanced MR
    "1.2.840.10008.5.1.4.1.1.1.2",  # mammography for presentation
    "1.2.840.10008.5.1.4.1.1.13.1.3",  # breast tomosynthesis
    "1.2.840.10008.5.1.4.1.1.12.1",  # XA
    "1.2.840.10008.5.1.4.1.1.20",  # NM
    "1.2.840.10008.5.1.4.1.1.88.67",  # X-ray radiation dose SR
    "1.2.840.10008.5.1.4.1.1.11.1",  # grayscale softcopy presentation state
    "1.2.840.10008.5.1.4.1.1.88.11",  # basic text SR
    "1.2.840.10008.5.1.4.1.1.88.22",  # enhanced SR
    "1.2.840.10008.5.1.4.1.1.88.33",  # comprehensive SR
    "1.2.840.10008.5.1.4.1.1.88.59",  # key object selection
    "1.2.840.10008.5.1.4.1.1.481.1",  # RT image
    "1.2.840.10008.5.1.4.1.1.481.2",  # RT dose
    "1.2.840.10008.5.1.4.1.1.481.3",  # RT structure set
    "1.2.840.10008.5.1.4.1.1.481.5",  # RT plan
    "1.2.840.10008.5.1.4.1.1.66",  # raw data
    "1.2.840.10008.5.1.4.1.1.66.1",  # spatial registration
    "1.2.840.10008.5.1.4.1.1.66.4",  # segmentation
    "1.2.840.10008.5.1.4.1.1.104.1",  # encapsulated PDF
    "1.2.840.10008.5.1.4.1.1.7.4",  # multi-frame true color secondary capture
    "1.2.840.10008.5.1.4.1.1.7.2",  # multi-frame grayscale byte secondary capture
    "1.2.840.10008.5.1.4.1.1.7.3",  # multi-frame grayscale word secondary capture
    "1.2.840.10008.5.1.4.1.1.1.1.1",  # DX for processing
    "1.2.840.10008.5.1.4.1.1.1.2.1",  # mammography for processing
)

# PS3.8 9.3.2.2: presentation context IDs are the odd numbers up to 255. One of the 128 is the retrieve service's own.
_ROOM = 127


def class_groups(sop_classes: Iterable[str]) -> list[tuple[str, ...]]:
    """The classes in their order, without duplicates, as groups of which each fits into one association."""
    classes = tuple(dict.fromkeys(sop_classes))
    size = _ROOM // len(USUAL_SYNTAXES)
    return [classes[start : start + size] for start in range(0, len(classes), size)]


def storage_contexts(sop_classes: Sequence[str]) -> list[tuple[str, list[str]]]:
    """One proposal for each pair of class and syntax, so that accepting one syntax does not shut out another.

    sop_classes: one of class_groups().
    """
    syntaxes = ALL_SYNTAXES[: _ROOM // len(sop_classes)]
    return [(uid, [syntax]) for uid in sop_classes for syntax in syntaxes]
