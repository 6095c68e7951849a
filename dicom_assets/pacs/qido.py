"""QIDO-RS (PS3.18 10.6): a C-FIND identifier in, every answer to it out, in the form in which C-FIND gives them."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from ..errors import BadInput, RetryLater
from .answers import texts
from .archive import Archive
from .dicomweb import DicomWeb, open_dicomweb

#: Answers of one request; some servers refuse to be asked for more, and many send fewer.
_PAGE = 200
_MOST_ANSWERS = 20_000
#: UIDs of one request; some servers refuse a query of more than 2048 characters.
_MOST_UIDS = 20
#: Times that the answers are read from the first page on, where they moved between two pages.
_READINGS = 3
_JSON = "application/dicom+json"
_UNIQUE_KEYS = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}
_RESOURCES = {"STUDY": "studies", "SERIES": "series", "IMAGE": "instances"}
#: JSON is UTF-8, whatever character set an answer repeats from the file (PS3.18 F.2).
_UTF_8 = RawDataElement(BaseTag(0x00080005), "CS", 10, b"ISO_IR 192", 0, False, True)
#: SpecificCharacterSet and QueryRetrieveLevel, which only C-FIND needs.
_NOT_KEYS = {0x00080005, 0x00080052}

#: An attribute's tag as eight hexadecimal digits -> its VR and values.
Row = dict[str, dict]


@contextmanager
def qido_queries(archive: Archive) -> Iterator[Callable[[Dataset], list[Dataset]]]:
    """A function from identifier to all answers, over one connection.

    It raises what DicomWeb.request raises, the code of a status that is no success, RetryLater: PACS_UNREADABLE_ANSWER,
    PACS_PAGES_MOVED, and BadInput("PACS_QUERY_CAPPED") where the server says that there are more answers than it
    gives, or there are more than _MOST_ANSWERS. A server that does not know `offset` and stops at a limit without
    saying so cannot be told from one that has no more answers; neither can it in C-FIND.
    """
    with open_dicomweb(archive) as web:
        yield lambda keys: _ask(web, keys)


def echo_dicomweb(archive: Archive) -> None:
    """Raises the coded error that says what is wrong: see qido_queries."""
    with open_dicomweb(archive) as web:
        _page(web, "studies?limit=1")


def _ask(web: DicomWeb, keys: Dataset) -> list[Dataset]:
    rows: dict[str, Row] = {}
    for search in _searches(keys):
        rows |= _rows(web, search)
    tags = [element.tag for element in keys if element.tag not in _NOT_KEYS]
    return [_answer(row, tags) for row in rows.values()]


@dataclass(frozen=True)
class _Search:
    """target: resource and query below the root, open for more parameters. unique: tag that tells answers apart. most:
    answers that there can be, None where nobody knows."""

    target: str
    unique: str
    most: int | None


def _searches(keys: Dataset) -> list[_Search]:
    """One, or several where a list of UIDs is too long for one."""
    level = str(keys.QueryRetrieveLevel)
    unique = _UNIQUE_KEYS[level]
    path, in_path = _resource(keys, level)
    matched, returned = {}, []
    for element in keys:
        if element.tag in _NOT_KEYS or element.keyword in in_path:
            continue
        values = texts(keys, element.keyword)
        if values:
            matched[element.keyword] = values
        else:
            returned.append(element.keyword)
    fields = [("includefield", ",".join(returned))] if returned else []
    uids = matched.pop(unique, ())
    lists = [uids[start : start + _MOST_UIDS] for start in range(0, len(uids), _MOST_UIDS)] or [()]
    return [
        _Search(
            f"{path}?{urlencode([*_parameters({unique: some} | matched), *fields], safe=',', quote_via=quote)}&",
            f"{tag_for_keyword(unique):08X}",
            len(some) or None,
        )
        for some in lists
    ]


def _parameters(matched: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    """A comma separates UIDs (PS3.18 8.3.4.1); no other key has several values."""
    return [(keyword, ",".join(values)) for keyword, values in matched.items() if values]


def _resource(keys: Dataset, level: str) -> tuple[str, set[str]]:
    """The path, and the keys that it holds already: those above the level that are one UID."""
    path, in_path = "", set()
    for keyword, resource in (("StudyInstanceUID", "studies"), ("SeriesInstanceUID", "series")):
        above = texts(keys, keyword)
        if _UNIQUE_KEYS[level] == keyword or len(above) != 1:
            break
        path += f"{resource}/{quote(above[0], safe='')}/"
        in_path.add(keyword)
    return path + _RESOURCES[level], in_path


def _rows(web: DicomWeb, search: _Search) -> dict[str, Row]:
    for _ in range(_READINGS):
        rows = _read_pages(web, search)
        if rows is not None:
            return rows
    raise RetryLater("PACS_PAGES_MOVED")


def _read_pages(web: DicomWeb, search: _Search) -> dict[str, Row] | None:
    """Page after page until one brings nothing new: a short page may be the server's limit. Each begins with the last
    answer of the one before; None where it does not, so that answers may have slipped from one page to another."""
    rows: dict[str, Row] = {}
    position, largest, last, says_more = 0, 0, "", False
    while True:
        offset = position - 1 if largest > 1 else position
        page, more = _page(web, f"{search.target}limit={_PAGE}&offset={offset}")
        keyed = {_key_of(row, search.unique): row for row in page}
        if keyed.keys() <= rows.keys():
            break
        if position > offset and _key_of(page[0], search.unique) != last:
            return None
        rows |= keyed
        position, last, says_more = offset + len(page), _key_of(page[-1], search.unique), more
        largest = max(largest, len(page))
        if len(rows) > _MOST_ANSWERS:
            raise BadInput("PACS_QUERY_CAPPED")
        if search.most is not None and len(rows) >= search.most:
            return rows
    ignores_offset = len(page) > position - offset
    if says_more or (ignores_offset and position == _PAGE):
        raise BadInput("PACS_QUERY_CAPPED")
    return rows


def _key_of(row: Row, unique: str) -> str:
    """The answer's UID; all of it where it has none."""
    return _value(row.get(unique, {})).decode() or json.dumps(row, sort_keys=True)


def _page(web: DicomWeb, target: str) -> tuple[list[Row], bool]:
    """The answers to one request, and whether the server says that there are more (PS3.18 8.3.4.4)."""
    with web.request("qido", target, _JSON) as answer:
        if answer.status == 204 or (answer.status == 404 and target.startswith("studies/")):
            return [], False
        if not (answer.meaning.is_success or answer.status == 206):
            raise answer.meaning.as_error()
        body = answer.read()
        more = any("299" in warning and "fuzzy" not in warning.lower() for warning in answer.warnings)
        return _parsed(body, answer.content_type), more or answer.status == 206


def _parsed(body: bytes, content_type: str) -> list[Row]:
    try:
        rows = json.loads(body or b"[]")
        return [{tag.upper(): dict(attribute) for tag, attribute in row.items()} for row in rows]
    except (ValueError, TypeError, AttributeError, RecursionError):
        if "json" in content_type:
            raise RetryLater("PACS_UNREADABLE_ANSWER") from None
        raise BadInput("PACS_NOT_DICOMWEB") from None


def _answer(row: Row, tags: list[BaseTag]) -> Dataset:
    """Only what was asked for, as encoded text."""
    answer = Dataset()
    answer[_UTF_8.tag] = _UTF_8
    for tag in tags:
        if f"{tag:08X}" in row:
            value = _value(row[f"{tag:08X}"])
            answer[tag] = RawDataElement(tag, dictionary_VR(tag), len(value), value, 0, False, True)
    return answer


def _value(attribute: dict) -> bytes:
    """All values, joined as in a data set."""
    values = attribute.get("Value")
    return "\\".join(map(_text, values if isinstance(values, list) else [])).encode("utf-8", "replace")


def _text(value: object) -> str:
    if isinstance(value, dict):  # of a name, its groups
        groups = (value.get(group, "") for group in ("Alphabetic", "Ideographic", "Phonetic"))
        return "=".join(each if isinstance(each, str) else "" for each in groups).rstrip("=")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)
