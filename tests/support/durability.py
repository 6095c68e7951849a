"""What a power cut would leave of the files below a folder: a model that follows the calls of a recording.

A file's bytes are safe once an fsync of it has begun after the last write ended, and has ended. A name is safe once
that holds for an fsync of the folder that has it, and so is every name on the way to it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .strace import Call, Recording

WRITES = {"write", "pwrite64", "writev", "pwritev", "sendfile", "copy_file_range", "ftruncate"}
_SYNCS = {"fsync", "fdatasync"}
RENAMES, LINKS = {"rename", "renameat", "renameat2"}, {"link", "linkat"}
UNLINKS, FOLDERS = {"unlink", "unlinkat", "rmdir"}, {"mkdir", "mkdirat"}


@dataclass
class _Node:
    """A file or folder. changes: writes, or changes of names, that have begun and ended. safe: how many of them an
    fsync has seen to the end. names: of a folder, name -> node and the change by which it came."""

    is_folder: bool = False
    changes: int = 0
    safe: int = 0
    names: dict[str, tuple["_Node", int]] = field(default_factory=dict)


class Disk:
    """Of one recording; paths as its calls have them."""

    def __init__(self, before: Mapping[str, bool]) -> None:
        """before: path -> is it a folder, of what is there, and safe, in the beginning."""
        self._root = _Node(is_folder=True)
        self._syncs: dict[int, list[tuple[_Node, int]]] = {}  # line at which a sync began -> what it will make safe
        for path, is_folder in sorted(before.items()):
            self._parent(path).names[_name(path)] = _Node(is_folder), 0

    def has(self, path: str) -> bool:
        return self._node(path) is not None

    def is_written_down(self, path: str) -> bool:
        """All bytes of the file are safe, whatever of its names."""
        node = self._node(path)
        return node is not None and node.changes == node.safe

    def is_safe(self, path: str) -> bool:
        """A power cut leaves the file under this name, whole."""
        return self.is_written_down(path) and self.has_safe_name(path)

    def has_safe_name(self, path: str) -> bool:
        node = self._root
        for part in _parts(path):
            if part not in node.names or node.names[part][1] > node.safe:
                return False
            node = node.names[part][0]
        return True

    def is_safely_gone(self, path: str) -> bool:
        """No file has this name, and a power cut does not bring it back."""
        parent = self._node(_folder_of(path))
        return not self.has(path) and (parent is None or parent.changes == parent.safe)

    def begin(self, call: Call) -> None:
        node = self._node(call.paths[0])
        if call.name in _SYNCS and node is not None:
            self._syncs[call.begun] = [(node, node.changes)]
        elif call.name == "syncfs":
            self._syncs[call.begun] = [(one, one.changes) for one in _all(self._root)]
        elif call.name in WRITES and node is not None:
            node.changes += 1

    def end(self, call: Call) -> None:
        path = call.paths[0]
        node = self._node(path)
        for one, changes in self._syncs.pop(call.begun, ()):
            one.safe = max(one.safe, changes)
        if call.name in WRITES and node is not None:
            node.changes += 1
        elif call.name == "openat" and "O_CREAT" in call.flags and node is None:
            self._enter(path, _Node())
        elif call.name == "openat" and "O_TRUNC" in call.flags and node is not None:
            node.changes += 1
        elif call.name in FOLDERS and node is None:
            self._enter(path, _Node(is_folder=True))
        elif call.name in RENAMES | LINKS and node is not None:
            self._enter(call.paths[1], node)
        if call.name in RENAMES | UNLINKS and node is not None:
            parent = self._parent(path)
            del parent.names[_name(path)]
            parent.changes += 1

    def _enter(self, path: str, node: _Node) -> None:
        if path:
            parent = self._parent(path)
            parent.changes += 1
            parent.names[_name(path)] = node, parent.changes

    def files(self) -> Iterator[str]:
        """Their paths."""
        yield from _paths("", self._root)

    def _node(self, path: str) -> _Node | None:
        node: _Node | None = self._root if path else None
        for part in _parts(path):
            node = node.names.get(part, (None,))[0] if node is not None else None
        return node

    def _parent(self, path: str) -> _Node:
        node = self._node(_folder_of(path))
        assert node is not None, "the recording lacks the folder of a file"
        return node


def moments(recording: Recording) -> Iterator[tuple[Call, Disk]]:
    """Every call at the moment at which it begins, with what the disk is then; last a call without a name or paths,
    with what is there in the end."""
    disk = Disk(recording.before)
    calls = recording.calls()
    beginnings = [(call.begun, False, call) for call in calls]
    for _, has_ended, call in sorted([*beginnings, *((call.ended, True, call) for call in calls)], key=lambda m: m[:2]):
        if has_ended:
            disk.end(call)
        else:
            yield call, disk
            disk.begin(call)
    yield Call(0, 0, 0, "", ()), disk


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _folder_of(path: str) -> str:
    return path.rpartition("/")[0] or "."


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part != "."]


def _paths(path: str, node: _Node) -> Iterator[str]:
    for name, (one, _) in node.names.items():
        if not one.is_folder:
            yield path + name
        yield from _paths(f"{path}{name}/", one)


def _all(node: _Node) -> Iterator[_Node]:
    yield node
    for one, _ in node.names.values():
        yield from _all(one)
