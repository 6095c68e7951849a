"""How commands speak: sentences on stderr, a bar on a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def terminal_progress(what: str, total: int, unit: str = "study") -> Iterator[Callable[..., object]]:
    """A bar on stderr, and only on a terminal. Gives a function to call with the number of units done, one by default.
    No thread beside it: processes may be forked while it is shown."""
    if not sys.stderr.isatty():
        yield lambda done=1: None
        return
    from tqdm import tqdm

    tqdm.monitor_interval = 0
    with tqdm(total=total, desc=what, unit=unit, file=sys.stderr) as bar:
        yield bar.update


def say(text: str) -> None:
    print(text, file=sys.stderr)
