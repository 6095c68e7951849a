"""Who is in the corpus: every person, number, house and telephone is invented, and follows from the seed alone."""

import datetime
import random
import re
from dataclasses import dataclass

# family^given^sex in plain letters; the last row are names that are ordinary words too
_PLAIN = """
    Holloway^Marian^F Brandvold^Annika^F Okonkwo^Chidera^M Ferreira^Joaquim^M Castellano^Vittoria^F Abernathy^Clifton^M
    Lindqvist^Torsten^M Mukherjee^Sunil^M Van_der_Meulen^Hendrika^F O'Shaughnessy^Declan^M Smith-Kowalczyk^Deborah^F
    Delacroix^Mireille^F Takahashi^Kenichi^M Whitcombe^Rosalind^F Jankowski^Bernard^M Pettigrew^Winifred^F Li^Na^F
    Nakagawa^Haruko^F Thorvaldsen^Sigurd^M McAllister^Fergus^M Quintanilla^Esteban^M Vasquez^Marisol^F Nguyen^Thi_Mai^F
    Hargreaves^Philippa^F Zielinski^Wanda^F Rosenthal^Miriam^F Adeyemi^Folasade^F Lucchesi^Raffaele^M Novotny^Zdenek^M
    Young^Grace^F King^Henry^M Stone^April^F Park^Min-jun^M Baker^Joseph^M Hunter^Rose^F Wood^Amber^F Bishop^Mark^M
"""
_PEOPLE = [tuple(name.replace("_", " ").split("^")) for name in _PLAIN.split()]
# Names whose letters need a character set (PS3.3 C.12.1.1.2): character set, PatientName, words of it, an address
_SCRIPTS = [
    ("ISO_IR 100", "Müßigmann^Jörg", "M", "Jörg Müßigmann", "Hauptstraße 27, 80331 München"),
    ("ISO_IR 100", "Lefèvre^Élodie", "F", "Élodie Lefèvre", "14 rue des Lilas, 69003 Lyon"),
    ("ISO_IR 192", "Wiśniewska^Małgorzata", "F", "Małgorzata Wiśniewska", "ul. Długa 8, 31-147 Kraków"),
    ("ISO_IR 192", "Çelikkol^Gülşen", "F", "Gülşen Çelikkol", "Çınar Sokak 19, Üsküdar"),
    ("\\ISO 2022 IR 87", "Yamashiro^Takumi=山城^拓海=やましろ^たくみ", "M", "山城 拓海", "東京都文京区本郷7-3"),
    ("\\ISO 2022 IR 149", "Hwangbo^Jinsu=皇甫^鎭洙=황보^진수", "M", "황보 진수", "서울특별시 종로구 세종대로 175"),
    ("ISO_IR 144", "Люксембургова^Валерия", "F", "Валерия Люксембургова", "ул. Садовая 41, Тверь"),
    ("ISO_IR 126", "Παπαδόπουλος^Λεωνίδας", "M", "Λεωνίδας Παπαδόπουλος", "Οδός Ερμού 12, Αθήνα"),
    ("GB18030", "OuYang^XiaoMing=欧阳^晓明", "M", "欧阳 晓明", "上海市徐汇区衡山路 23号"),
]
_DOCTORS = [
    tuple(name.split("^"))
    for name in """
    Okafor^Chidi Lindgren^Sven Grantham^Evelyn Rademacher^Rita Tiedemann^Tomas Marchetti^Silvana Brockhurst^Nigel
    Iwasaki^Noriko Fitzwilliam^Maeve Kaczmarek^Piotr Brown^Olivia Marsh^Daniel Cho^Eun-ji
    """.split()
]
_STREETS = "Leawood Harrowgate Wexcombe Tamarisk Brindlewood Juniper Foxglove Kestrel Marlowe Larkspur".split()
_WAYS = "Street Avenue Road Lane Drive Court".split()
_TOWNS = [("Little Rock", "AR", "722"), ("Springfield", "IL", "627"), ("Duluth", "MN", "558"), ("Macon", "GA", "312")]
_HOSPITALS = "St. Brannoc Medical Center|Harrowgate Infirmary|Wexcombe Memorial Hospital|Larkspur Valley Clinic".split(
    "|"
)


@dataclass(frozen=True)
class Patient:
    """name: PN as encoded. written: as one would write it into a text. character_set: `\\`-separated; empty: none.
    licence, plate, finger: numbers of a certificate, a vehicle and a fingerprint. net: address of a computer."""

    character_set: str
    name: str
    written: str
    patient_id: str
    birth: datetime.date
    sex: str
    address: str
    zip: str
    telephone: str
    email: str
    ssn: str
    insurance: str
    other_id: str
    mother: str
    licence: str
    plate: str
    finger: str
    net: str
    child: str
    employer: str
    height: str
    weight: str
    ethnic_group: str


@dataclass(frozen=True)
class Site:
    """A hospital and its people: (family, given). doctors: who stand in the headers; others: who are only spoken of."""

    name: str
    address: str
    department: str
    station: str
    serial: str
    doctors: tuple[tuple[str, str], ...]
    others: tuple[tuple[str, str], ...]
    telephone: str


def patient(seed: int, number: int) -> Patient:
    """The patient of this number, whatever others there are."""
    rng = random.Random(f"{seed} patient {number}")
    if number % 3 == 2:
        character_set, name, sex, written, address = _SCRIPTS[(number // 3 + seed) % len(_SCRIPTS)]
    else:
        family, given, sex = _PEOPLE[(number - number // 3 + seed) % len(_PEOPLE)]
        initial = rng.choice("ABDEGHKLMNRTW") if rng.random() < 0.4 else ""
        name = f"{family}^{given}^{initial}".rstrip("^") + rng.choice(["", "^^Dr", ""])
        written = rng.choice([f"{given} {family}", f"{family}, {given}", f"{given.upper()} {family.upper()}"])
        character_set, address = rng.choice(["", "ISO_IR 100", "ISO_IR 192"]), _address(rng)
    digits = f"{rng.randrange(10**7, 10**8)}"
    family, given, _ = rng.choice([one for one in _PEOPLE if len(one[1]) > 3])  # a child, whom no header names
    return Patient(
        character_set, name, written,
        patient_id=rng.choice([f"MRN{digits}", digits, f"{digits[:4]}-{digits[4:]}", f"TC{digits[:6]}X", f"0{digits}"]),
        birth=datetime.date(rng.choice([1914, *range(1941, 2004)]), rng.randint(1, 12), rng.randint(1, 28)),
        sex=sex, address=address, zip=[f"{rng.randrange(10**4, 10**5)}", *re.findall(r"\b[0-9]{5}\b", address)][-1],
        telephone=_telephone(rng),
        email=f"{given}.{family}{rng.randrange(10, 99)}@example.org".lower().replace(" ", "").replace("'", ""),
        ssn=f"9{rng.randrange(10, 99)}-{rng.randrange(10, 99)}-{rng.randrange(1000, 9999)}",
        insurance=f"HP{rng.randrange(10**8, 10**9)}", other_id=f"OLD{rng.randrange(10**6, 10**7)}",
        mother=f"{rng.choice(_PEOPLE)[0]}^Agathe", child=given, employer=f"{rng.choice(_STREETS)} Foundry",
        licence=f"D{rng.randrange(10**6, 10**7)}",
        plate=f"{rng.choice(['KXR', 'BWZ', 'TQV'])}-{rng.randrange(1000, 9999)}",
        finger=f"FPX{rng.randrange(10**5, 10**6)}",
        net=".".join(["10", *(str(rng.randrange(20, 250)) for _ in range(3))]),
        height=f"{rng.uniform(1.5, 1.95):.2f}", weight=f"{rng.uniform(48, 110):.1f}",
        ethnic_group=rng.choice(["WHITE", "BLACK", "ASIAN", "HISPANIC"]),
    )  # fmt: skip


def site(seed: int, number: int) -> Site:
    """The hospital of this number."""
    rng = random.Random(f"{seed} site {number}")
    doctors = rng.sample(_DOCTORS, 9)
    station = f"{rng.choice(['CTAWP', 'MRC', 'RADWS', 'XA'])}{rng.randrange(10000, 99999)}"
    serial = f"{rng.choice('KHS')}{rng.randrange(10**6, 10**7)}"
    department = rng.choice(["Radiology East", "Imaging Pavilion 3", "Nuclear Medicine Annex"])
    known, others = tuple(doctors[:6]), tuple(doctors[6:])
    name = _HOSPITALS[number % len(_HOSPITALS)]
    return Site(name, _address(rng), department, station, serial, known, others, _telephone(rng))


def _address(rng: random.Random) -> str:
    town, state, code = rng.choice(_TOWNS)
    street = f"{rng.randrange(101, 9900)} {rng.choice(_STREETS)} {rng.choice(_WAYS)}"
    return f"{street}, {town} {state} {code}{rng.randrange(10, 99)}"


def _telephone(rng: random.Random) -> str:
    area, line = rng.randrange(201, 990), f"0{rng.randrange(100, 200)}"
    return rng.choice(["+1-{}-555-{}", "({}) 555-{}", "{}.555.{}", "{}-555-{}"]).format(area, line)
