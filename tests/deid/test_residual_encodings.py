"""Text within text: each encoding is seen through, and what only looks like one gives nothing."""

import base64

import pytest

from dicom_assets.deid.residual_encodings import hidden_texts

NAME = "Isidora Vandermolen"

HIDDEN = {
    "base64": base64.b64encode(NAME.encode()),
    "base64 among words": b"see " + base64.b64encode(NAME.encode()) + b" there",
    "base64 for URLs": base64.urlsafe_b64encode(b"~~~" + NAME.encode()),
    "base64 without padding": base64.b64encode(NAME.encode()).rstrip(b"="),
    "base64 of UTF-16": base64.b64encode(NAME.encode("utf-16-le")),
    "hexadecimal": NAME.encode().hex().encode(),
    "hexadecimal in pairs": NAME.encode().hex(" ").upper().encode(),
    "an escaped URL": b"%49sidora%20Vandermol%65n",
    "HTML": b"&#73;sidora Vandermolen",
    "JSON": b'{"n": "\\u0049sidora Vandermolen"}',
    "mail": b"=49sidora Vander=\nmolen",
}


@pytest.mark.parametrize("value", HIDDEN.values(), ids=HIDDEN.keys())
def test_a_name_is_found_beneath_its_encoding(value):
    assert any(NAME in text for text in hidden_texts(value))


def test_letters_that_are_set_apart_are_put_together():
    assert "Isidora" in list(hidden_texts(b"patient I s i d o r a, and I.s.i.d.o.r.a"))


@pytest.mark.parametrize(
    "value",
    [b"", b"ABDOMEN CONTRAST", b"1.2.840.10008.5.1.4.1.1.2", b"T1W SE cor", b"B30f 120kV", b"A B C", bytes(64)],
)
def test_what_is_no_encoded_text_gives_nothing(value):
    assert list(hidden_texts(value)) == []


@pytest.mark.parametrize("value", [b"A" * 100_000, b"=" * 100_000, b"0 " * 100_000, b"%" * 100_000, b"a " * 100_000])
def test_a_long_value_takes_no_long_time(value):
    assert len(list(hidden_texts(value))) < 10
