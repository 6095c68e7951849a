"""Pixels are decoded, looked at and blanked in a child of this process (child.py), which may crash, hang or ask for too
much memory: that is a reason code of one image, and the next one has a new child.

The child is a fresh interpreter, not a fork of a worker that knows the project's key; it is started when it is first
asked, loads the detector once, and ends with this process."""

import atexit
import base64
import json
import logging
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

from ..errors import BadInput, DicomAssetsError, Refused, RetryLater
from .boxes import Box, parse
from .cleaned import Cleaned, Plan

_LOG = logging.getLogger(__name__)
#: Modules of `pip install 'dicom-assets[pixels]'`
_EXTRA = ("onnxruntime", "rapidocr_onnxruntime", "imagecodecs")
#: Address space of the child, bytes. The detector takes 1.3 GB for its largest picture.
_MEMORY = 4 << 30
#: Seconds in which a child says how long it needs; it starts with a second or two of imports.
_STARTING = 240
#: Seconds by the clock for one of processor time: workers share cores.
_WALL = 4
_MOST_SECONDS = 3600
_LONGEST_ANSWER = 256 << 20  #: bytes
_TOO_LONG, _CRASHED = "PIXEL_CLEANING_TOOK_TOO_LONG", "PIXEL_DECODER_CRASHED"


@cache
def extra_is_installed() -> bool:
    return all(find_spec(name) is not None for name in _EXTRA)


def cleaner() -> "Cleaner":
    """This process's own, and not that of the one it was forked from."""
    return _of_process(os.getpid())


@cache
def _of_process(_pid: int) -> "Cleaner":
    own = Cleaner()
    atexit.register(own.close)
    return own


class Cleaner:
    """Each call raises BadInput with the reason for which the image cannot be cleaned or looked at, or
    Refused("PIXELS_EXTRA_MISSING"); RetryLater only for errors of the machine. memory: bytes of the child's address
    space. most_seconds: by the clock, of a call."""

    def __init__(self, memory: int = _MEMORY, most_seconds: float = _MOST_SECONDS) -> None:
        self._memory, self._most_seconds = memory, most_seconds
        self._child: subprocess.Popen | None = None
        self._said = bytearray()

    def __enter__(self) -> "Cleaner":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def clean(self, original: Path, staged: Path, target: Path, plan: Plan) -> Cleaned:
        """target: staged without its text, and saying so. original: for what its header alone still tells. No target
        is left where it raises."""
        try:
            answer = self._ask("clean", staged, original, target, asdict(plan))
            return Cleaned.of(json.dumps(answer))
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def prove(self, original: Path, output: Path, cleaned: Cleaned, plan: Plan) -> list[str]:
        """Reason codes for which output is not original with cleaned.boxes blanked and nothing else changed, or these
        are not all that plan asks for; none where all is well."""
        return self._ask("prove", output, original, cleaned.text, asdict(plan))

    def find(self, original: Path, plan: Plan) -> tuple[Box, ...]:
        """What clean() would blank at first; nothing is written."""
        return tuple(parse(*box) for box in self._ask("find", original, asdict(plan)))

    def look(self, original: Path, frame: int, boxes: Sequence[Box]) -> bytes:
        """A PNG of one frame, counted from 0, with the boxes drawn and numbered from 1."""
        return base64.b64decode(self._ask("look", original, frame, [(box.text, box.source) for box in boxes]))

    def _ask(self, name: str, image: Path, *arguments: object) -> object:
        """image: what is decoded, whose size counts."""
        if not extra_is_installed():
            raise Refused("PIXELS_EXTRA_MISSING")
        call = json.dumps([name, image, *arguments], default=lambda path: str(path.absolute()))
        try:
            answer = self._first_answer(call.encode() + b"\n")
            if "seconds" in answer:
                answer = self._answer(_WALL * float(answer["seconds"]))
        except BaseException:
            self.close()
            raise
        if "done" in answer:
            return answer["done"]
        if "bug" in answer:
            _LOG.error("%s: %s", answer["code"], answer["bug"])
        raise (RetryLater if answer["kind"] == "RetryLater" else BadInput)(answer["code"])

    def _first_answer(self, line: bytes) -> dict:
        """A child that was ending before it was asked has not crashed on this image: a new one is asked."""
        is_new = self._child is None
        self._send(line)
        try:
            return self._answer(_STARTING)
        except BadInput as error:
            if is_new or error.code != _CRASHED:
                raise
        self.close()
        self._send(line)
        return self._answer(_STARTING)

    def _send(self, line: bytes) -> None:
        if self._child is not None and self._child.poll() is not None:
            self.close()
        if self._child is None:
            self._child = _start_child(self._memory)
        with suppress(BrokenPipeError):  # its end is seen where its answer is awaited
            self._child.stdin.write(line)

    def _answer(self, seconds: float) -> dict:
        """Raises BadInput with the reason for which there is none."""
        deadline = monotonic() + min(seconds, self._most_seconds)
        answers = self._child.stdout
        while b"\n" not in self._said:
            ready, _, _ = select.select([answers], [], [], max(deadline - monotonic(), 0))
            if not ready:
                raise BadInput(_TOO_LONG)
            piece = os.read(answers.fileno(), 1 << 20)
            if not piece or len(self._said) > _LONGEST_ANSWER:
                raise self._why_it_ended()
            self._said += piece
        line, _, self._said = self._said.partition(b"\n")
        return json.loads(line)

    def _why_it_ended(self) -> DicomAssetsError:
        self._child.kill()
        return BadInput(_TOO_LONG if self._child.wait() == -signal.SIGXCPU else _CRASHED)

    def close(self) -> None:
        child, self._child, self._said = self._child, None, bytearray()
        if child is not None:
            child.kill()
            child.wait()
            child.stdin.close(), child.stdout.close()


def _start_child(memory: int) -> subprocess.Popen:
    """Nothing of this process's environment goes over: it may hold keys. What libraries print quotes values."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    places = {"PYTHONPATH": os.pathsep.join(filter(os.path.isabs, sys.path)), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [sys.executable, "-P", "-W", "ignore", "-m", f"{__package__}.child", str(memory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        cwd="/",
        env={"LANG": "C.UTF-8", **threads, **places},
    )
