"""A folder that others write to: links are not followed at any depth, and only what was looked at is removed."""

import os
from pathlib import Path

import pytest

from dicom_assets.storage.file_trees import FileTree, PassedOver, Signature, opened_tree


def listed(tree: FileTree, **how: bool) -> tuple[dict[bytes, Signature], set[PassedOver]]:
    found = list(tree.files(**how))
    passed_over = {one for one in found if isinstance(one, PassedOver)}
    return dict(one for one in found if not isinstance(one, PassedOver)), passed_over


def test_files_of_every_depth_are_listed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("one", "a/two", "a/b/three", ".hidden"):
        (tmp_path / name).write_bytes(b"content")
    (tmp_path / "link").symlink_to("one")
    (tmp_path / "a" / "folder_link").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "a" / "pipe")
    (tmp_path / os.fsdecode(b"not \xff UTF-8")).write_bytes(b"")
    with opened_tree(tmp_path) as tree:
        files, passed_over = listed(tree)
        assert set(files) == {b"one", b"a/two", b"a/b/three", b".hidden", b"not \xff UTF-8"}
        assert {(one.name, one.code) for one in passed_over} == {
            (b"link", "LINK_NOT_FOLLOWED"),
            (b"a/folder_link", "LINK_NOT_FOLLOWED"),
            (b"a/pipe", "NOT_A_FILE"),
        }
        assert b".hidden" not in listed(tree, hidden=False)[0]


def test_a_folder_that_becomes_a_link_leads_nowhere(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    (outside / "file").write_bytes(b"somebody else's")
    (root / "folder").mkdir(parents=True)
    (root / "folder" / "file").write_bytes(b"ours")
    with opened_tree(root) as tree:
        signature = listed(tree)[0][b"folder/file"]
        (root / "folder").rename(root / "moved")
        (root / "folder").symlink_to(outside)
        for act in (tree.open, lambda name: tree.remove(name, signature)):
            with pytest.raises(OSError):
                act(b"folder/file")
    assert (outside / "file").is_file()


def test_a_file_that_has_changed_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"as it was listed")
    with opened_tree(tmp_path) as tree:
        before = listed(tree)[0][b"file"]
        status = path.stat()
        path.write_bytes(b"AS IT WAS LISTED")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as if nothing had happened
        assert not tree.remove(b"file", before)
        assert path.is_file()
        assert tree.remove(b"file", listed(tree)[0][b"file"])
    assert not path.exists()


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with opened_tree(tmp_path) as tree:
        os.close(tree.open(b"pipe"))


def test_only_empty_folders_go(tmp_path: Path) -> None:
    (tmp_path / "full" / "empty").mkdir(parents=True)
    with opened_tree(tmp_path) as tree:
        assert not tree.remove_if_empty(b"full")
        assert tree.remove_if_empty(b"full/empty")
        assert tree.remove_if_empty(b"full")
        assert not tree.remove_if_empty(b"full")
