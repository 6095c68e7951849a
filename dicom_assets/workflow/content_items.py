"""Content items of a structured report stand in the output where they stood before, less those that went by their
concept: the pieces of both files are brought to the same paths, so that they can be compared."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from ..deid.residual import Piece

#: Sequences of content items (PS3.3 C.17.3.2 and 10.2), of which PS3.15 E.3.4 may remove some
CONTENT_SEQUENCES = frozenset(
    {0x0040A730, 0x00400555, 0x00400612, 0x00400620, 0x00400440, 0x00400441, 0x00741210, 0x00741212}
)
_VALUE_TYPE, _CONCEPT_NAME = 0x0040A040, 0x0040A043
_CONCEPT = (0x00080100, 0x00080102)  # code value, scheme

Path = tuple[tuple[int, int], ...]
Kind = tuple[bytes, bytes, bytes]  #: value type, code value and scheme of the concept name


def renumbered(original: list[Piece], output: list[Piece]) -> list[Piece]:
    """The original's pieces at the paths that they have in the output. Items of a kind that the output has nowhere were
    removed by their concept, and are left out with all below them; one that should be there and is not gets an index
    that no item has, so that what it held is missed."""
    before, after = _kinds(original), _kinds(output)
    if before == after:
        return original
    there = Counter(after.values())
    new_paths: dict[Path, Path | None] = {}
    taken: dict[Path, int] = defaultdict(int)  # items of the output's sequence, by the path of its first item
    for path in sorted(before, key=lambda path: (len(path), path)):
        parent = _moved(path[:-1], new_paths)
        tag, kind = path[-1][0], before[path]
        if parent is None or not there[kind]:
            new_paths[path] = None
            continue
        sequence = (*parent, (tag, 0))
        index = taken[sequence]
        if after.get((*parent, (tag, index))) == kind:
            new_paths[path] = (*parent, (tag, index))
            taken[sequence] += 1
        else:
            new_paths[path] = (*parent, (tag, -1 - path[-1][1]))
    moved = ((piece, _moved(piece.path, new_paths) if piece.path else ()) for piece in original)
    return [piece if path == piece.path else piece._replace(path=path) for piece, path in moved if path is not None]


def _kinds(pieces: Iterable[Piece]) -> dict[Path, Kind]:
    """Of each content item, by its path."""
    found: dict[Path, dict[int, bytes]] = defaultdict(dict)
    for piece in pieces:
        path = piece.path
        if not path:
            continue
        if piece.tag == _VALUE_TYPE and path[-1][0] in CONTENT_SEQUENCES:
            found[path][_VALUE_TYPE] = piece.value.strip(b" \0")
        elif piece.tag in _CONCEPT and path[1:] and path[-1] == (_CONCEPT_NAME, 0) and path[-2][0] in CONTENT_SEQUENCES:
            found[path[:-1]][piece.tag] = piece.value.strip(b" \0")
    kind = (_VALUE_TYPE, *_CONCEPT)
    return {path: tuple(said.get(tag, b"") for tag in kind) for path, said in found.items()}


def _moved(path: Path, new_paths: dict[Path, Path | None]) -> Path | None:
    """Where what stood there stands now; None where it went with its item."""
    for end in range(len(path), 0, -1):
        if path[:end] in new_paths:
            new = new_paths[path[:end]]
            return None if new is None else new + path[end:]
    return path
