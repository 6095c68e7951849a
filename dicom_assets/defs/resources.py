"""Archive, storage and rules as Dagster resources. An empty field means its variable; no field is secret."""

from typing import Any

import dagster as dg

from ..settings import Settings
from ..workflow.job import Job, Progress, job_of


class StorageResource(dg.ConfigurableResource):
    """The two data roots, and the file of the key that seals what identifies patients."""

    restricted_root: str = ""
    released_root: str = ""
    mapping_key_file: str = ""

    def variables(self) -> dict[str, str]:
        return {
            "DICOM_RESTRICTED_ROOT": self.restricted_root,
            "DICOM_RELEASED_ROOT": self.released_root,
            "DICOM_MAPPING_KEY_FILE": self.mapping_key_file,
        }


class PacsResource(dg.ConfigurableResource):
    """The archive and our own name and port towards it. One that is named here is asked alone; further archives, TLS,
    hours and limits come from the environment."""

    host: str = ""
    port: str = ""
    ae_title: str = ""
    calling_ae_title: str = ""
    retrieve: str = ""
    receiver_port: str = ""

    def variables(self) -> dict[str, str]:
        return {
            "DICOM_PACS_HOST": self.host,
            "DICOM_PACS_PORT": self.port,
            "DICOM_PACS_AE_TITLE": self.ae_title,
            "DICOM_CALLING_AE_TITLE": self.calling_ae_title,
            "DICOM_PACS_RETRIEVE": self.retrieve,
            "DICOM_RECEIVER_PORT": self.receiver_port,
        }


class DeidResource(dg.ConfigurableResource):
    """The profile and the file that holds the pseudonym key."""

    profile: str = ""
    pseudonym_key_file: str = ""

    def variables(self) -> dict[str, str]:
        return {"DICOM_PROFILE": self.profile, "DICOM_PSEUDONYM_KEY_FILE": self.pseudonym_key_file}


def settings_from(*resources: StorageResource | PacsResource | DeidResource) -> Settings:
    """Raises BadInput where a setting cannot be used."""
    return Settings.from_env({name: value for one in resources for name, value in one.variables().items()})


def job_from(
    storage: StorageResource, pacs: PacsResource, deid: DeidResource, progress: Progress, **manners: Any
) -> Job:
    """manners: as job_of takes them."""
    return job_of(settings_from(storage, pacs, deid), progress, **manners)
