"""An archive with a mode for each way in which real archives have been seen to misbehave."""

from . import connecting, finding, reporting, sending
from .archive import FaultyArchive
from .log import Request
from .mode import Healthy, Mode

#: Every mode, in the order of its module: the healthy one, then what is found, what is sent, what is said
#: of it, how it is connected.
MODES: tuple[type[Mode], ...] = (Healthy, *finding.MODES, *sending.MODES, *reporting.MODES, *connecting.MODES)

__all__ = ["MODES", "FaultyArchive", "Healthy", "Mode", "Request"]
