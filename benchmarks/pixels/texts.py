"""What is written into images: names, dates, numbers, hospitals, in seven scripts. All of it is invented."""

import random

SCRIPTS = ("Latin", "accented", "Cyrillic", "Greek", "Chinese", "Japanese", "Korean")
EAST_ASIAN = ("Chinese", "Japanese", "Korean")
KINDS = ("name", "date", "number", "hospital", "line")
MARKERS = ("L", "R")

_NAMES = {
    "Latin": "Holloway Brandvold Okonkwo Ferreira Castellano Abernathy Lindqvist Mukherjee Stone King Young Whitcombe|"
    "Marian Annika Chidera Joaquim Vittoria Clifton Torsten Sunil April Henry Grace Rosalind",
    "accented": "Müßigmann Lefèvre Wiśniewska Çelikkol Kovářová Núñez Sørensen Łukaszewicz Ångström Gonçalves|"
    "Jörg Élodie Małgorzata Gülşen Zdeněk Íñigo Søren Świętosława Åsa João",
    "Cyrillic": "Люксембургова Шевченков Ястребова Щукина Журавлёва Цветаев|Валерия Дмитрий Юлия Фёдор Эльвира Борис",
    "Greek": "Παπαδόπουλος Ξενάκης Θεοδώρου Λαμπράκη Ψαράς Φωτίου|Λεωνίδας Ελένη Δημήτρης Ιφιγένεια Ωρίων Χρύσα",
    "Chinese": "欧阳 司徒 王 李 诸葛 慕容|晓明 建国 秀英 志强 梦瑶 雨桐",
    "Japanese": "山城 佐々木 渡辺 やましろ ワタナベ 高橋|拓海 花子 さくら タクミ 健一 美咲",
    "Korean": "황보 김 박 이 남궁 선우|진수 민준 서연 하은 도윤 지우",
}
_HOSPITALS = {
    "Latin": "St. Brannoc Medical Center|Harrowgate Infirmary|WEXCOMBE MEMORIAL HOSPITAL|Larkspur Valley Clinic",
    "accented": "Hôpital Saint-Éloi du Lac|Universitätsklinikum Grünau|Szpital Świętej Łucji|Ürgüp Çınar Hastanesi",
    "Cyrillic": "Городская больница № 7|Клиника «Журавли»|ОБЛАСТНОЙ ДИСПАНСЕР",
    "Greek": "Γενικό Νοσοκομείο Λίμνης|ΚΛΙΝΙΚΗ ΑΓΙΟΥ ΦΩΤΙΟΥ",
    "Chinese": "衡山路人民医院|江湾第三医院超声科",
    "Japanese": "山城記念病院|みなと湾クリニック 放射線科",
    "Korean": "한가람 대학교 병원|남궁 영상의학과 의원",
}
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()


def text_of(kind: str, script: str, rng: random.Random) -> str:
    """kind: one of KINDS, or `marker`: a single letter, or `short`: two to four characters."""
    if kind == "marker":
        return rng.choice(MARKERS)
    if kind == "short":
        return rng.choice(["JH", "M 54", "F45", "AKB", "12/4", "47Y", "PA L", "R 3", "AP"])
    if kind == "date":
        return _date(script, rng)
    if kind == "number":
        return _number(rng)
    if kind == "hospital":
        return rng.choice(_HOSPITALS[script].split("|"))
    if kind == "name":
        return _name(script, rng)
    return f"{_name(script, rng)}  {_date(script, rng)}  {_number(rng)}"


def _name(script: str, rng: random.Random) -> str:
    family, given = (rng.choice(part.split()) for part in _NAMES[script].split("|"))
    if script in EAST_ASIAN:
        return f"{family} {given}" if script == "Japanese" else f"{family}{given}"
    return rng.choice([
        f"{family}, {given}", f"{given} {family}", f"{family} {given}".upper(), f"{family}^{given}".upper(),
        f"{family} {given[0]}.",
    ])  # fmt: skip


def _date(script: str, rng: random.Random) -> str:
    year, month, day = rng.randrange(1930, 2024), rng.randint(1, 12), rng.randint(1, 28)
    if script in ("Chinese", "Japanese") and rng.random() < 0.5:
        return f"{year}年{month}月{day}日"
    clock = f" {rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"
    return rng.choice([
        f"{day:02}.{month:02}.{year}", f"{month:02}/{day:02}/{year}", f"{year}-{month:02}-{day:02}",
        f"{day:02}-{_MONTHS[month - 1]}-{year}", f"{day:02}/{month:02}/{year % 100:02}{clock}",
        f"{year}{month:02}{day:02}",
    ])  # fmt: skip


def _number(rng: random.Random) -> str:
    digits = f"{rng.randrange(10**7, 10**8)}"
    return rng.choice([f"MRN{digits}", digits, f"ID: {digits[:6]}", f"{digits[:4]}-{digits[4:]}", f"ACC {digits}"])
