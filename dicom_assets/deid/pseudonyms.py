"""Pseudonyms by HMAC-SHA256 under one project key: the same key and input give the same output, on any machine.

Each kind of input has its own domain (`uid|`, `patient|`, ...), so that no pseudonym of one kind tells one of another.
"""

import base64
import hmac
from dataclasses import dataclass, field
from functools import cached_property

KEY_BYTES = 32
_LONGEST_UID, _UUID_DIGITS = 64, 39


@dataclass(frozen=True)
class PseudonymKey:
    """secret: 32 random bytes; never printed."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise ValueError("a pseudonym key has 32 bytes")

    def _digest(self, domain: str, value: str | bytes) -> bytes:
        encoded = value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")
        return hmac.digest(self.secret, domain.encode() + b"|" + encoded, "sha256")

    def _letters(self, domain: str, value: str | bytes, length: int) -> str:
        """length characters of a-z2-7, 5 bits each."""
        return base64.b32encode(self._digest(domain, value)).decode()[:length].lower()

    @cached_property
    def key_id(self) -> str:
        """Names the key without telling it: 12 hex digits."""
        return self._digest("key-id", "").hex()[:12]

    def uid(self, old: str, root: str = "") -> str:
        """A UUID-derived UID (PS3.5 B.2), 122 bits of the digest; at most 44 characters. Under the site's own root:
        as many digits of it as fit into 64 characters, 39 at most."""
        number = int.from_bytes(self._digest("uid", old)[:16], "big")
        if root:
            digits = min(_UUID_DIGITS, _LONGEST_UID - len(root) - 1)
            return f"{root}.{1 + number % (10**digits - 1)}"
        number = number & ~(0xF << 76) | 0x8 << 76  # RFC 9562: version 8, and ...
        number = number & ~(0x3 << 62) | 0x2 << 62  # ... its variant
        return f"2.25.{number}"

    def patient(self, patient_id: bytes) -> str:
        """Of PatientID byte for byte, as encoded less the padding: P and 16 letters or digits, 80 bits."""
        return "P" + self._letters("patient", patient_id, 16).upper()

    def patient_of_study(self, study_instance_uid: str) -> str:
        """For instances without a PatientID: they are one patient's only as far as they are one study's."""
        return "P" + self._letters("patient-of-study", study_instance_uid, 16).upper()

    def study_key(self, study_instance_uid: str) -> str:
        """The study's name in ledger, partitions' metadata and folders: 16 letters or digits, 80 bits."""
        return "s" + self._letters("study", study_instance_uid, 16)

    def request_key(self, row: str) -> str:
        """Stands for a requested row that no study was found for."""
        return "r" + self._letters("request", row, 16)

    def file_name(self, sop_instance_uid: str) -> str:
        """The name under which an original is kept; tells nothing of the UID, which a peer chose."""
        return self._letters("file", sop_instance_uid, 26) + ".dcm"

    def days(self, pseudonym: str, largest: int) -> int:
        """By how many days all dates of a patient shift: 1 to largest, back or forth, never 0. By pseudonym, so that a
        patient whom the site knows under two IDs has one shift. A known true date gives it away for this patient."""
        number = int.from_bytes(self._digest("days", pseudonym)[:16], "big")
        size = number // 2 % largest + 1
        return size if number % 2 else -size
