"""`python -m benchmarks.upload URL FOLDER`: every instance of the folder into an Orthanc, by its REST API.

The series SE3 and SE4 of a study become a study of their own: `ct` then has 12 studies of 50 instances, which can be
dealt out to four batches.
"""

import http.client
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.gen_corpus import ROOT

#: StudyInstanceUID of the corpora: 1, patient, study
_STUDY = re.compile(rb"(%b\.1\.\d)\.([01])" % re.escape(ROOT.encode()))


def upload(url: str, folder: Path) -> None:
    """Raises SystemExit where it does not take one."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=600)
    for path in sorted(folder.rglob("*.dcm")):
        if path.parent.name in ("SE3", "SE4"):
            _post(connection, _STUDY.sub(lambda m: b"%b.%d" % (m[1], int(m[2]) + 2), path.read_bytes()))
        else:
            with path.open("rb") as file:
                _post(connection, file, {"Content-Length": str(path.stat().st_size)})


def _post(connection: http.client.HTTPConnection, body: object, headers: dict[str, str] | None = None) -> None:
    connection.request("POST", "/instances", body, headers or {})
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise SystemExit(f"Orthanc answers {response.status}")


if __name__ == "__main__":
    upload(sys.argv[1], Path(sys.argv[2]))
