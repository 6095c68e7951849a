"""The request of a batch: an immutable list of what is wanted, `restricted/requests/<key>.request.parquet`, sealed."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from ..errors import BadInput
from ..storage.tables import create_sealed, read_sealed
from ..storage.zones import REQUEST, Zones
from .key import batch_key, check_key


@dataclass(frozen=True)
class RequestRow:
    """What one row asks for; empty means any. Dates are YYYYMMDD. A row with a StudyInstanceUID asks for one study.

    but_not: batches that hold instances of this study already; only the others are wanted."""

    patient_id: str = ""
    accession_number: str = ""
    study_instance_uid: str = ""
    study_date_from: str = ""
    study_date_to: str = ""
    modalities: tuple[str, ...] = ()
    pseudonym: str = ""
    but_not: tuple[str, ...] = ()

    @property
    def canonical(self) -> str:
        """The same text for the same question, whatever pseudonym the row brings."""
        question = asdict(self) | {"pseudonym": ""}
        del question["but_not"]
        return json.dumps(question, sort_keys=True, default=list)


@dataclass(frozen=True)
class Request:
    """name: the operator's label; it may identify, and stays in the request. keep_originals: of arrivals; else they are
    deleted once what was made of them is released."""

    batch: str
    name: str
    rows: tuple[RequestRow, ...]
    keep_originals: bool = True


@dataclass(frozen=True)
class StoredRequest:
    """A request as a table: JSON of all that it has."""

    request: str


def create_request(zones: Zones, source: str, day: str, name: str, rows: Sequence[RequestRow]) -> Request:
    """Write the request under the key after the last one of that source and day."""
    number = last_number(zones, source, day)
    while True:
        number += 1
        request = Request(batch_key(source, day, number), name, tuple(rows))
        if write_request(zones, request):
            return request


def write_request(zones: Zones, request: Request) -> bool:
    """False, and nothing written, where there is a request of this batch."""
    return create_sealed(zones.request(request.batch), [StoredRequest(json.dumps(asdict(request)))], StoredRequest)


def last_number(zones: Zones, source: str, day: str) -> int:
    """0 where there is none."""
    keys = [key for key in list_batches(zones) if key.startswith(f"{source}-{day}-")]
    return max((int(number) for key in keys if (number := key.rpartition("-")[2]).isdecimal()), default=0)


def load_request(zones: Zones, batch: str) -> Request:
    """Raises BadInput where there is no such batch, or its file cannot be read."""
    path = zones.request(check_key(batch))
    if not path.is_file():
        raise BadInput("BATCH_UNKNOWN")
    try:
        (stored,) = read_sealed(path, StoredRequest)
        data = json.loads(stored.request)
        rows = tuple(_decode(row) for row in data["rows"])
        return Request(data["batch"], data["name"], rows, data["keep_originals"])
    except (ValueError, KeyError, TypeError):
        raise BadInput("REQUEST_UNREADABLE") from None


def _decode(row: dict) -> RequestRow:
    given = {"but_not": [], **row}  # older requests do not have it
    values = {field.name: given[field.name] for field in fields(RequestRow)}
    but_not = tuple(check_key(batch) for batch in values["but_not"])
    return RequestRow(**values | {"modalities": tuple(values["modalities"]), "but_not": but_not})


def list_batches(zones: Zones) -> list[str]:
    """Keys of all requests, sorted."""
    if not zones.requests.is_dir():
        return []
    return sorted(path.name.removesuffix(REQUEST) for path in zones.requests.glob(f"*{REQUEST}"))
