"""Pushing with dcmtk's storescu, and what it was told of each instance."""

import subprocess
from collections.abc import Sequence

from tests.support.programs import find_program
from tests.torture.support_studies import Pushed

_SENDING, _SUCCESS = "Sending file: ", "Received Store Response (Success)"
_SECONDS = 300


def push(port: int, instances: Sequence[Pushed], ae_title: str = "PUSHER") -> list[Pushed]:
    """Those of one association that were acknowledged with status 0x0000, in order; the others were refused, or the
    connection broke."""
    by_path = {str(one.path): one for one in instances}
    command = [find_program("storescu"), "-v", "-nh", "-aet", ae_title, "127.0.0.1", str(port)]
    files = [str(one.path) for one in instances]
    done = subprocess.run(
        [*command, *files], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=_SECONDS
    )
    acknowledged, under_way = [], None
    for line in done.stdout.splitlines():
        if _SENDING in line:
            under_way = by_path[line.partition(_SENDING)[2]]
        elif _SUCCESS in line:
            acknowledged.append(under_way)
    return acknowledged
