"""Released files into the folder of a pack: copied or linked, each proved again to be what was released."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..errors import Refused, RetryLater
from ..storage.atomic import make_folder
from ..storage.zones import RELEASED_FILE, RELEASED_FOLDER
from .job import Progress
from .outgoing import Outgoing, open_released
from .pack_contents import ImageFacts, facts_of
from .parallel import Steps, map_studies, parts_of


@dataclass(frozen=True)
class _Part:
    """Some of the images, for one call. target: the folder of images."""

    images: tuple[Outgoing, ...]
    target: Path
    link: bool


def copy_images(
    images: Sequence[Outgoing], target: Path, link: bool, workers: int, progress: Progress
) -> list[ImageFacts]:
    """What each of them tells. target: folder for <patient>/<study>/<series>/<instance>.dcm. link: second names of the
    released files instead of copies. Each is durable; not yet the folders that name it."""
    make_folder(target, RELEASED_FOLDER)
    parts = [_Part(tuple(part), target, link) for part in parts_of(images)]
    with progress("packing", len(parts)) as step:
        outcomes = map_studies(_steps, parts, workers, step) if parts else []
    for outcome in outcomes:
        if outcome.result is None:
            raise (RetryLater if outcome.code in ("WORKER_CRASHED", "INTERNAL_ERROR") else Refused)(outcome.code)
    return [facts for outcome in outcomes for facts in outcome.result]


def _steps(part: _Part) -> Steps[list[ImageFacts]]:
    (facts,) = yield [partial(_copy_part, part)]
    return facts


def _copy_part(part: _Part) -> list[ImageFacts]:
    """In a worker. Raises Refused: FILE_NOT_AS_RECORDED, PACK_CANNOT_LINK."""
    facts, copies = [], []
    for one in part.images:
        target = part.target / one.file
        make_folder(target.parent, RELEASED_FOLDER)
        with open_released(one) as source:
            content = source.read()
            facts.append(facts_of(one.file, content))
            if facts[-1].sha256 != one.sha256:
                raise Refused("FILE_NOT_AS_RECORDED")
            if part.link:
                _link(one, source.fileno(), target)
                continue
        target.write_bytes(content)
        target.chmod(RELEASED_FILE)
        copies.append(target)
    for target in copies:  # together: one wait for the disk instead of one a file
        with target.open("rb") as file:
            os.fsync(file.fileno())
    return facts


def _link(one: Outgoing, source: int, target: Path) -> None:
    """source: descriptor of the file that was read."""
    try:
        os.link(one.root.resolve() / one.file, target, follow_symlinks=False)
    except OSError:
        raise Refused("PACK_CANNOT_LINK") from None
    if not os.path.samestat(os.fstat(source), target.stat(follow_symlinks=False)):
        raise Refused("FILE_NOT_AS_RECORDED")
