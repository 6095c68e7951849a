"""The batch key: `<source>-<yyyymmdd>-<nnn>`. The date is the day the batch was made, never a study's."""

import re

from ..errors import BadInput

SOURCES = ("cohort", "nightly", "arrival", "retry")
_FORM = re.compile(rf"({'|'.join(SOURCES)})-\d{{8}}-\d{{3,6}}")


def batch_key(source: str, day: str, number: int) -> str:
    """day: yyyymmdd. number: from 1."""
    return check_key(f"{source}-{day}-{number:03d}")


def is_arrival(batch: str) -> bool:
    """The batch was made of what was pushed to us."""
    return batch.startswith("arrival-")


def check_key(key: str) -> str:
    """key itself; raises BadInput where it has not a key's form (it becomes part of paths)."""
    if not _FORM.fullmatch(key):
        raise BadInput("BATCH_KEY_MALFORMED")
    return key
