"""`dicom-assets receive` as a user starts it: a process of its own."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import free_port
from tests.support.site import Site
from tests.support.waiting import wait_for

#: Guards against hanging
_START, _END = 60, 60


@dataclass
class Receiver:
    """log: what it says on stderr."""

    process: subprocess.Popen
    port: int
    log: Path
    site: Site

    def said(self) -> str:
        return self.log.read_text()

    def memory(self, name: str = "VmRSS") -> int:
        """Bytes of all its processes, as /proc has them: VmRSS or, the most there ever was, VmHWM."""
        return sum(_memory(pid, name) for pid in (self.process.pid, *self.crew()))

    def crew(self) -> list[int]:
        """The processes that it has started."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def arrived(self) -> list[Path]:
        """Instances under their final names."""
        studies = (folder for folder in self.site.zones.incoming.iterdir() if not folder.name.startswith("."))
        return sorted(path for folder in studies if folder.is_dir() for path in folder.iterdir())

    def unfinished(self) -> list[Path]:
        return sorted(self.site.zones.incoming.rglob("*.part"))

    def end(self, number: int = signal.SIGTERM) -> int:
        """Its exit code."""
        self.process.send_signal(number)
        return self.process.wait(_END)


def _memory(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))


@contextmanager
def running_receiver(folder: Path, **variables: str) -> Iterator[Receiver]:
    """It listens; at the end it has ended."""
    site, port = Site(folder, variables), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "receive.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            site.command("receive", "--port", port), cwd=folder, env=site.environment, stderr=stderr
        )
    receiver = Receiver(process, port, log, site)
    try:
        wait_for(lambda: "listening" in receiver.said() or process.poll() is not None, _START)
        assert process.poll() is None, receiver.said()
        yield receiver
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
