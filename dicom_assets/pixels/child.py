"""The process in which pixels are decoded and looked at: `python -m dicom_assets.pixels.child MEMORY`.

It takes calls as lines of JSON, `[name of a function in work.py, its arguments ...]`, one after the other, and answers
each with two lines: `{"seconds": ...}`, processor time that it allows itself by the image's size, then what came of it.
It ends when the other end of its standard input is closed. What it reads may be hostile: the process that started it
trusts nothing but its answers' form.
"""

import errno
import json
import os
import resource
import select
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ..errors import BadInput, DicomAssetsError, RetryLater, from_os_error
from ..quiet import describe_bug, silence_libraries

#: Processor seconds for what every image costs, then for each million pixels
_SECONDS, _SECONDS_A_MEGAPIXEL, _MOST_SECONDS = 60, 30, 3600
_STARTING_SECONDS = 120
#: Bytes that an output may have beyond those of its source and of its decoded pixels
_BEYOND = 64 << 20


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb", 0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for libraries that print
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    _at_most(resource.RLIMIT_AS, int(sys.argv[1]))
    _at_most(resource.RLIMIT_CORE, 0)
    with suppress(OSError):  # where the machine's memory ends, this process goes, not the one that it works for
        Path("/proc/self/oom_score_adj").write_text("1000")
    threading.Thread(target=_end_with_parent, daemon=True).start()
    silence_libraries()
    for line in sys.stdin.buffer:
        name, *arguments = json.loads(line)
        _say(answers, _answer(answers, name, arguments))


def _answer(answers: BinaryIO, name: str, arguments: Sequence) -> dict:
    """What came of it: `done`, or the `code` of an error, its `kind`, and the place of a bug."""
    try:
        _limit(_STARTING_SECONDS, _BEYOND)
        from . import sizes, work

        size = sizes.size_of(arguments[0])
        seconds = min(int(_SECONDS + _SECONDS_A_MEGAPIXEL * size.pixels / 1e6), _MOST_SECONDS)
        _limit(seconds, 2 * size.file + size.decoded + _BEYOND)
        _say(answers, {"seconds": seconds})
        return {"done": work.CALLS[name](*arguments)}
    except MemoryError:
        error: DicomAssetsError = BadInput("PIXELS_TOO_LARGE")
    except DicomAssetsError as known:
        error = known
    except OSError as failed:
        error = BadInput("PIXELS_TOO_LARGE") if failed.errno == errno.EFBIG else from_os_error(failed)
    except Exception as bug:
        return {"kind": "BadInput", "code": "PIXEL_CLEANING_FAILED", "bug": describe_bug(bug)}
    return {"kind": "RetryLater" if isinstance(error, RetryLater) else "BadInput", "code": error.code}


def _limit(seconds: int, file_size: int) -> None:
    """Processor time from now, and bytes of a file that is written."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _at_most(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + seconds)
    _at_most(resource.RLIMIT_FSIZE, file_size)


def _at_most(kind: int, limit: int) -> None:
    """Or less, where this machine's own limit is less."""
    _soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _say(answers: BinaryIO, answer: dict) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")


def _end_with_parent() -> None:
    """Also in the midst of a call, however the parent ends."""
    poll = select.poll()
    poll.register(0, 0)  # nothing but the other end's closing
    poll.poll()
    os._exit(0)


if __name__ == "__main__":
    main()
