"""Another try at an association that the archive had no room for; it is for seconds, longer ones are for the caller."""

import random
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from ..errors import RetryLater

T = TypeVar("T")

#: Seconds before each further try, give or take a half, so that those who were turned away together come back apart.
PAUSES = (1.0, 3.0)
#: Turned away for now: rejected-transient, or by the presentation layer (PS3.8 table 9-21).
_FOR_NOW = {"PACS_BUSY"}


def with_back_off(attempt: Callable[[], T], pauses: Sequence[float] = PAUSES) -> T:
    """What attempt returns; called again after each pause while it is turned away for now. Raises what it raises."""
    for pause in pauses:
        try:
            return attempt()
        except RetryLater as error:
            if error.code not in _FOR_NOW:
                raise
        time.sleep(pause * random.uniform(0.5, 1.5))
    return attempt()
