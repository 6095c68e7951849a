"""What is proposed, and that it fits."""

import pytest

from dicom_assets.pacs.contexts import (
    ALL_SYNTAXES,
    STORAGE_CLASSES,
    USUAL_CLASSES,
    USUAL_SYNTAXES,
    class_groups,
    storage_contexts,
)

DEFLATED = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.8.1")


@pytest.mark.parametrize("count", [1, 3, 8, 9, 40])
def test_every_group_fits_into_one_association_with_the_retrieve_service(count: int) -> None:
    for group in class_groups(STORAGE_CLASSES[:count]):
        assert len(storage_contexts(group)) + 1 <= 128


def test_every_class_is_in_one_group_and_each_of_its_syntaxes_in_a_context_of_its_own() -> None:
    groups = class_groups([*USUAL_CLASSES, *USUAL_CLASSES])
    assert [uid for group in groups for uid in group] == list(USUAL_CLASSES)
    for group in groups:
        pairs = [(sop_class, *syntaxes) for sop_class, syntaxes in storage_contexts(group)]
        assert len(set(pairs)) == len(pairs)
        assert set(pairs) >= {(uid, syntax) for uid in group for syntax in USUAL_SYNTAXES}


def test_a_deflated_syntax_is_never_proposed() -> None:
    assert not set(DEFLATED) & set(ALL_SYNTAXES)


def test_usual_classes_are_storage_classes() -> None:
    assert set(USUAL_CLASSES) <= set(STORAGE_CLASSES)
