"""Released instances of a batch to a destination, and only those that are not there yet.

What is there: where the destination lists a series, its list is believed, so that what it lost is sent again; else our
own record of what it acknowledged. A listed instance that we never sent it counts as there, since nobody else can make
these UIDs. What our record knows with other content, as begun, or as refused is sent again, listed or not: the list
tells UIDs only. The intention is recorded before the first byte goes out, a success only after it was acknowledged.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..batches.request import load_request
from ..errors import DicomAssetsError
from ..pacs import send
from ..pacs.archive import Archive
from ..pacs.commitment import ask_for_commitment
from ..pacs.held import Held, held_instances
from ..storage.atomic import exclusive_lock
from ..storage.audit import Event, record
from ..storage.deliveries import BEGUN, COMMITTED, REFUSED, STORED, Delivery, DeliveryRecord
from ..storage.zones import Zones
from .destination import address_of, digest_of, kind_of
from .job import Progress, coded_file_errors, no_progress
from .outgoing import Outgoing, parcel_of, released_instances

#: The sentences of reasons.toml name the settings of archives.
_ABOUT_THE_DESTINATION = (
    "The archive meant here is the destination: check its address (--to, DICOM_DELIVERY_TO), DICOM_DELIVERY_TLS and "
    "DICOM_DELIVERY_AUTHORIZATION_FILE instead of the DICOM_PACS_ settings."
)


@dataclass(frozen=True)
class DeliveryReport:
    """Counts are instances: released = already_there + sent + len(refused) + not_sent.

    committed: of those that are there now, what the destination vouches for. refused: (path below the released root,
    reason code). warned: of the sent ones, what the destination may have changed. commitment_offered: None where it was
    not asked. failure: what stopped the delivery before its end; its notes say what else to know.
    """

    destination_kind: str
    released: int
    already_there: int
    sent: int
    committed: int
    refused: tuple[tuple[str, str], ...]
    warned: int
    commitment_offered: bool | None
    failure: DicomAssetsError | None

    @property
    def not_sent(self) -> int:
        return self.released - self.already_there - self.sent - len(self.refused)


def deliver(
    zones: Zones,
    destination: Archive,
    batch: str,
    progress: Progress = no_progress,
    pauses: Sequence[float] = send.PAUSES,
) -> DeliveryReport:
    """pauses: seconds between associations that bring nothing. Raises BadInput where the batch is unknown or nothing of
    it is released, Refused("BATCH_BUSY") while it is worked on."""
    load_request(zones, batch)
    with coded_file_errors(), exclusive_lock(zones.lock(batch)):
        released = released_instances(zones, batch)
        record(zones, Event.DELIVERY, f"{batch} to {address_of(destination)}")
        delivered = DeliveryRecord(zones, batch, digest_of(destination), {one.sop_instance_uid for one in released})
        held = held_instances(destination, sorted({one.series for one in released if one.sha256}))
        missing = [one for one in released if not _is_there(one, delivered, held)]
        failure = _send(missing, delivered, destination, progress, pauses) if missing else held.failure
        if failure is not None and failure.code.startswith("PACS_"):
            failure.add_note(_ABOUT_THE_DESTINATION)
        offered = None if failure else _commit(released, delivered, destination)
    return _report(released, missing, delivered, kind_of(destination), offered, failure)


def _is_there(one: Outgoing, delivered: DeliveryRecord, held: Held) -> bool:
    """What the module says above."""
    listed = held.has(one.series, one.sop_instance_uid)
    row = delivered.known.get(one.sop_instance_uid)
    if row is None:
        return bool(listed)
    return row.is_stored and row.sha256 == one.sha256 and listed is not False


def _send(
    missing: Sequence[Outgoing],
    delivered: DeliveryRecord,
    destination: Archive,
    progress: Progress,
    pauses: Sequence[float],
) -> DicomAssetsError | None:
    """What stopped it, if anything did."""
    parcels = []
    digests = {one.file: one.sha256 for one in missing}
    for one in missing:
        try:
            parcel = parcel_of(one)
        except DicomAssetsError as error:
            delivered.put(Delivery(one.sop_instance_uid, "", one.sha256, REFUSED, error.code))
        else:
            parcels.append(parcel)
            delivered.put(Delivery(one.sop_instance_uid, parcel.sop_class_uid, one.sha256, BEGUN))
    delivered.write()
    with progress("sending", len(parcels)) as step:

        def answered(parcel: send.Parcel, answer: send.Answer) -> None:
            state = STORED if answer.outcome == send.STORED else REFUSED
            named = (parcel.sop_instance_uid, parcel.sop_class_uid, digests[parcel.name])
            delivered.put(Delivery(*named, state, answer.reason, answer.status))
            step()

        try:
            send.send_instances(destination, parcels, answered, pauses)
        except DicomAssetsError as error:
            return error
        finally:
            delivered.write()
    return None


def _commit(released: Sequence[Outgoing], delivered: DeliveryRecord, destination: Archive) -> bool | None:
    """Whether storage commitment is offered, None where it was not asked for. What the destination denies to hold is no
    longer stored; what it says nothing about stays stored."""
    rows = [delivered.known.get(one.sop_instance_uid) for one in released]
    stored = {row.sop_instance_uid: row for row in rows if row is not None and row.state == STORED}
    if not stored or not destination.host:
        return None
    try:
        said = ask_for_commitment(destination, [(row.sop_class_uid, uid) for uid, row in stored.items()])
    except DicomAssetsError:
        return None
    for uid in said.committed:
        delivered.put(Delivery(uid, stored[uid].sop_class_uid, stored[uid].sha256, COMMITTED))
    for uid in said.failed:
        delivered.put(Delivery(uid, stored[uid].sop_class_uid, stored[uid].sha256, REFUSED, "SEND_NOT_COMMITTED"))
    delivered.write()
    return said.offered


def _report(
    released: Sequence[Outgoing],
    missing: Sequence[Outgoing],
    delivered: DeliveryRecord,
    kind: str,
    offered: bool | None,
    failure: DicomAssetsError | None,
) -> DeliveryReport:
    rows = {one.file: row for one in released if (row := delivered.known.get(one.sop_instance_uid)) is not None}
    refused = {file: row.reason for file, row in rows.items() if row.state == REFUSED}
    gone_out = {one.file for one in missing}
    sent = [row for file, row in rows.items() if file in gone_out and row.is_stored]
    return DeliveryReport(
        destination_kind=kind,
        released=len(released),
        already_there=sum(one.file not in gone_out and one.file not in refused for one in released),
        sent=len(sent),
        committed=sum(row.state == COMMITTED for row in rows.values()),
        refused=tuple(refused.items()),
        warned=sum(row.reason != "" for row in sent),
        commitment_offered=offered,
        failure=failure,
    )
