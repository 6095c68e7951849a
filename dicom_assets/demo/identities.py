"""The invented people and institutions that the synthetic studies belong to. No real person is meant."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Person:
    """Values as DICOM writes them: name as PN with its component groups, dates as YYYYMMDD."""

    name: str
    natural_name: str  #: as people write it in free text, in Latin letters
    patient_id: str
    birth_date: str
    sex: str
    character_sets: tuple[str, ...]  #: SpecificCharacterSet
    address: str
    phone: str
    mother: str
    birth_name: str
    other_id: str
    occupation: str
    size_metres: str
    weight_kg: str


@dataclass(frozen=True)
class Site:
    """An institution, its scanner and its staff (PN)."""

    institution: str
    address: str
    department: str
    station: str
    serial_number: str
    manufacturer: str
    model: str
    ae_title: str
    referring: str
    referring_address: str
    referring_phone: str
    performing: str
    reading: str
    requesting: str
    of_record: str
    operator: str


#: Parts of planted names that are ordinary words: no search for them alone can mean anything.
ORDINARY_WORDS = frozenset({"Young", "Rose"})

_LATIN_1 = ("ISO_IR 100",)

PERSONS: dict[str, Person] = {
    "schmidt": Person(
        "Schmidt^Maria", "Maria Schmidt", "0012345", "19570423", "F", _LATIN_1,
        "Lindenhofgasse 14, 99871 Musterau", "030-5550142-01", "Hohenfels^Adelgunde", "Rothenburger^Maria",
        "MRN-7700312", "Glockengiesserin", "1.64", "61.5",
    ),
    "mueller": Person(
        "Müller^Jürgen^Ottokar", "Jürgen Müller", "00471100", "19491108", "M", _LATIN_1,
        "Weißdornweg 3, 99872 Großbirkenau", "030-5550177-02", "Königsmark^Irmtraud", "Müllerchen^Jürgen",
        "MRN-7700458", "Schornsteinfeger", "1.81", "92",
    ),
    "yamada": Person(
        "Yamadera^Taromaru=山寺^太郎丸=やまでら^たろうまる", "Taromaru Yamadera", "JP-0078120", "19620517", "M",
        ("", "ISO 2022 IR 87"), "Sakuragaoka 7-chome 20-5, Kitamachi", "03-5550-1984-77", "Hoshinomiya^Kiyoko",
        "Yamadera^Ichiromaru", "MRN-7700561", "Schirmmacher", "1.70", "66",
    ),
    "hong": Person(
        "Hongseok^Gildongja=洪錫^吉洞子=홍석^길동자", "Gildongja Hongseok", "KR0055613", "19710930", "F",
        ("", "ISO 2022 IR 149"), "Eunhaengnamu-ro 118, Byeolmaeul", "02-555-0163-118", "Kimseong^Haneulbit",
        "Hongseok^Byeolja", "MRN-7700672", "Hanjihersteller", "1.58", "52",
    ),
    "ivanchenko": Person(
        "Иванченкова^Светозара", "Swetosara Iwantschenkowa", "RU-661204", "19800229", "F", ("ISO_IR 144",),
        "Берёзовая аллея 19, Светлогорье", "812-5550119-33", "Златопольская^Марфинька", "Крыжановская^Светозара",
        "MRN-7700783", "Samowarputzerin", "1.67", "71",
    ),
    "zhaolin": Person(
        "Zhaolinger^Meiqihua=赵林格^美琪花", "Meiqihua Zhaolinger", "CN20-33871", "19880816", "F", ("ISO_IR 192",),
        "梧桐树街二十七号, 云海市", "021-5550-3871-90", "Ouyangxiu^Zhenzhuling", "Zhaolinger^Xiaoqihua",
        "MRN-7700894", "Seidenfaerberin", "1.62", "55.2",
    ),
    "young": Person(
        "Young^Rose", "Rose Young", "0090417", "19650101", "F", _LATIN_1,
        "77 Thistledown Crescent, Port Merrion", "0171-555-0188-4", "Blackwater^Clementina", "Featherstone^Rose",
        "MRN-7700915", "Beacon keeper", "1.72", "68",
    ),
    "fernwright": Person(
        "Fernwright^Eleonore^K", "Eleonore Fernwright", "0098123", "19530613", "F", (),
        "9 Quillmaker Lane, Ambleford", "0171-555-0121-9", "Hollowbrook^Wilhelmina", "Larkspurre^Eleonore",
        "MRN-7701026", "Bookbinder", "1.60", "58",
    ),
    "lindqvist": Person(
        "Lindqvister^Åstrida^Maja", "Åstrida Lindqvister", "SE-1944721", "19441221", "F", _LATIN_1,
        "Björkhagsvägen 41, Norrtallen", "08-5550-1472-18", "Rosenkvister^Gunnhilda", "Ekelundiana^Åstrida",
        "MRN-7701137", "Cartographer", "1.69", "63",
    ),
    "delacroix": Person(
        "Delacroisille^Bénédictine", "Bénédictine Delacroisille", "FR0313377", "19920704", "F", _LATIN_1,
        "12 rue des Mésanges, Clairfontaine", "01-5550-1337-52", "Beauharnoise^Philippine", "Montgolfière^Bénédictine",
        "MRN-7701248", "Horlogère", "1.75", "64",
    ),
    "thornbury": Person(
        "Thornburyson^Percivale^J^Dr^III", "Percivale Thornburyson", "UK-552-0041", "19381119", "M", (),
        "The Old Tollhouse, Wexcombe Parva", "01672-555-0141", "Cholmondesley^Araminta", "Thornburyson^Percy",
        "MRN-7701359", "Bellringer", "1.78", "84",
    ),
    "callaghan": Person(
        "O'Callahaney-Byrneston^Siobhanna", "Siobhanna O'Callahaney-Byrneston", "IE-0099120", "19760312", "F", (),
        "3 Heronsgate Mews, Ballinacarrow", "01-555-0196-220", "MacGillicuddyan^Fionnuala",
        "O'Callahaney^Siobhanna", "MRN-7701460", "Harpmaker", "1.66", "70",
    ),
    "castellanos": Person(
        "Castellanosa^Ximenita^de la", "Ximenita Castellanosa", "ES-4410087", "19991027", "F", _LATIN_1,
        "Calle del Almendro 58, Villaserena", "091-555-0144-60", "Montenegrina^Esperancita", "Peñalverde^Ximenita",
        "MRN-7701571", "Falconer", "1.59", "51",
    ),
    "ormsby": Person(
        "Ormsbyfield^Thaddeusz^^Mr", "Thaddeusz Ormsbyfield", "0000777012", "20140205", "M", (),
        "Gallows Corner 2, Nether Piddleford", "01305-555-0109", "Strathallanby^Guinevera", "Ormsbyfield^Thadd",
        "MRN-7701682", "Schoolboy", "1.31", "29",
    ),
}  # fmt: skip

#: The same person as registered a second time, under another identifier.
SECOND_PATIENT_ID = {"fernwright": "HX-98123-B"}

SITES: tuple[Site, ...] = (
    Site(
        "Sankt Ambrosius Klinikum Lindenhagen", "Klosterallee 1, 99870 Lindenhagen", "Radiologie Haus Quittenbaum",
        "AMBROSCT02", "SN-AMB-448120", "Auriga Imaging", "Auriga 64", "AMBROS_CT",
        "Oberhausener^Ludmillana^^Dr.", "Marktplatz 8, 99870 Lindenhagen", "030-5550911-08",
        "Querfurthner^Balthasar^^Dr.", "Silberschlager^Kunigunde", "Wintersteiner^Hieronymus",
        "Falkenrathner^Sieglinde", "Tannhuberin^Roswitha",
    ),
    Site(
        "Harrowmere Vale Infirmary", "Infirmary Road, Harrowmere HV7 3QQ", "Imaging Suite Kestrel",
        "HARROWMR01", "SN-HVI-902277", "Lyrae Medical", "Lyrae 3T", "HARROW_MR",
        "Pemberleigh^Cordelina^^Dr.", "4 Apothecary Row, Harrowmere", "0171-555-0911-3",
        "Wetherington^Ignatiuson", "Colquhounder^Marguerita", "Bartholomewes^Octaviana", "Hathersagely^Leopolda",
        "Nightingaler^Florenciana",
    ),
    Site(
        "Marienbrunn Diagnostikzentrum Ostufer", "Am Leuchtturm 22, 99879 Marienbrunn", "Abteilung Seeadler",
        "MARBRUNN03", "SN-MDO-317765", "Cygnus Diagnostics", "Cygnus Vision", "MARBRUNN_US",
        "Steinbrecherin^Theodolinde^^Dr.", "Hafenkai 5, 99879 Marienbrunn", "030-5550733-21",
        "Achterbergen^Gottlieba", "Vogelsangerin^Hildeburga", "Morgensternow^Casimirus", "Grauthoffner^Emerentia",
        "Ziegenhalser^Apollonia",
    ),
)  # fmt: skip
