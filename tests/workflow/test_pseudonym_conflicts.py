"""Conflicts are found before anything is retrieved, and only where there are any."""

from dicom_assets.deid.pseudonyms import PseudonymKey
from dicom_assets.storage.manifests import ResolvedStudy
from dicom_assets.workflow.pseudonym_conflicts import refuse_pseudonym_conflicts

KEY = PseudonymKey(bytes(range(32)))


def study(number: int, patient_id: str, pseudonym: str = "") -> ResolvedStudy:
    return ResolvedStudy(
        study_key=f"s{number}", request_key=f"r{number}", study_instance_uid=f"2.25.{number}", patient_id=patient_id,
        accession_number="", pseudonym=pseudonym, state="found", reason="", expected_series=1, expected_instances=1,
    )  # fmt: skip


def refused(*studies: ResolvedStudy) -> set[str]:
    return {one.study_key for one in refuse_pseudonym_conflicts(KEY, studies, {}) if one.state == "refused"}


def test_a_study_without_a_patient_id_conflicts_with_nobody() -> None:
    assert refused(study(1, ""), study(2, "0815"), study(3, "0816")) == set()


def test_a_pseudonym_that_is_a_patient_s_id_is_refused() -> None:
    assert refused(study(1, ""), study(2, "0815", "P-1"), study(3, "0816", "0815")) == {"s3"}
