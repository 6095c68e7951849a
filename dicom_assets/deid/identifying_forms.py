"""What identifies by its form, whoever it belongs to: contacts, numbers of records, addresses, titles, old ages.

Compiled on first use: few processes clean text.
"""

import re
from functools import cache

from .lexicon import folded, lexicon
from .written_dates import follows_a_setting

_START, _END = r"(?<![^\W_])(?<![0-9][.,])", r"(?![^\W_])"  # of a word or a number, also beside _
_YEARS = (
    rf"(?:(?:y\.?/?\s?o\.?|yrs?|years?|y|jahre?|j|jr|ans|años|anni|jaar|anos|år|aar|let|лет|года?|років|vuotta|yaş|"
    rf"ετών|éves|ani|godina|سنة|שנים){_END}(?:[\s-]*old{_END})?|(?:y/?o?[mfw]|old|j(?:ä|ae)hr(?:ige?[mnrs]?)?){_END}|[歳才岁歲세])"
)
_OLD = r"(?:0?9[0-9]|1[0-4][0-9])"  # over 89
_OLDEST = r"(?:9[0-9]|1[01][0-9])"  # over 89; where only a letter says that it is an age
_SEX = r"(?:(?-i:M)|m(?:ale|an)|f(?:emale)?|w(?!\s?(?:[/&+]|con|gad|gd|iv|km))(?:oman)?)"  # W/O: without
_NO_SETTING = (  # FA 90 F, TI: 90 F
    r"(?<!(?<![^\W_])(?:fa|t[eird]|kv|ww)[\s:=_])(?<!(?<![^\W_])(?:fa|t[eird]|kv|ww)[:=]\s)(?<!flip[\s:=_])"
    r"(?<!angle[\s:=_])"
)
_NO_WINDOW = (  # W90 L40, W 100
    r"(?!\s?(?:90|1[01]0)(?![0-9]))"
    r"(?<![lc][0-9]{2}[\s/]w)(?<![lc][\s:][0-9]{2}[\s/]w)(?=[\s/:,-]{0,2}9)(?!\s?[0-9]+[\s,/]*[lc]\s?[:=]?\s?-?[0-9])"
)
_TENS = r"(?:[\s-]?(?:one|two|three|four|five|six|seven|eight|nine))?"
_IS_SIZE = r"\s?(?:%|°|(?:mm|cm|m?s|sec|min|m?gy?|m?l|kvp?|mas?|hu|m?hz|deg|kev|mbq|mci)\b)"
# Of `drive`, `court` and the like only the capitalized form: DRIVE, Ave and ST are of techniques too.
_STREET = (
    r"(?:street|road|avenue|lane|boulevard|crescent|terrace|highway|parkway|clinic road|st\.(?=\s*(?:,|$))|"
    r"(?-i:Drive|Square|Court|[Ss]t(?=\s*(?:,|$))|[Rr]d(?=\s*(?:,|$))|Ave(?=\.|\s*,|\s|$))|rd\.(?=\s*(?:,|$))|"
    r"blvd\.?|ln\.?(?=\s*(?:,|$))|hwy\.?)"
)
_DOMAIN = "(?:com|org|net|edu|gov|de|uk|fr|es|it|nl|ch|at|eu|us|info|local|lan|invalid)"
_CAPITAL = r"[A-ZÄÖÜÀ-Þ][\w.'’-]{0,40}"
_RECORD = (
    r"(?:mrn|mpi|pid|ssn|kvnr|dni|cpf|bsn|ahv|(?:passport|reisepass)(?:[\s.-]*(?:no|nr|number))?|pat(?:ient)?s?[\s._-]*(?:id|no|nr|number)|acc(?:ession)?[\s._-]*(?:no|nr|number|num)|"
    r"(?:fall|auftrags?|patienten)[\s-]*(?:nr|nummer|id)|(?:case|chart|account|order)[\s-]*(?:no|number)|"
    r"medical record(?:[\s-]*(?:no|number))?|nhs no)"
)
_NUMBER = r"(?=[A-Z/-]*[0-9])[A-Z0-9][A-Z0-9/-]*(?:\.[0-9][0-9/-]*[A-Z]?)*\b"
_LONG_NUMBER = r"(?=(?:[A-Z/-]*[0-9]){4}|[A-Z]{1,3}-?[0-9]{2})[A-Z0-9][A-Z0-9/-]*\b"  # or letters and digits
_ROUND = r"(?![0-9][05]0[ .-](?:[0-9][05]0[ .-])?[0-9]{2}[05]0)"  # 200-400-1000 are b-values

_OF_THE_NET = (
    r"(?<![\w.+%-])[\w.+%-]{1,64}(?:@[\w-]+(?:\.[\w-]+)*|\s?@\s?[\w-]+(?:\.[\w-]+)+)",  # e-mail
    r"\b[a-z][a-z0-9+.-]{0,20}://\S+",  # URL
    r"\bwww\.\S+",
    rf"(?<![\w.-])[a-z0-9-]{{1,63}}(?:\.[a-z0-9-]{{1,63}}){{0,6}}\.{_DOMAIN}\b(?:[/:]\S*)?",
)
_FORMS = (
    r"\b[a-z]:[\\/]\S+|\\\\\w\S+|(?<![\w.])/(?:home|users|mnt|data|var|tmp)/\S+",  # paths
    r"(?<![\w.])[0-9]{1,3}(?:\.[0-9]+){3,}(?![\w])",  # IP address, UID
    r"(?<![\w:])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![\w:])",  # MAC address
    r"(?<![\w.])[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}(?![\w.])",
    r"(?<![\w:])(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{1,4}(?![\w:])",  # IPv6 address
    r"(?<![\w:])(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,6})?::[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,6}(?![\w:])",
    r"\b(?:gps|latitude|longitude)\b[\s:=]*-?[0-9][0-9.,;°'\"\s/-]*[nsew]?\b",
    r"(?<![\w-])[0-9]{3}[- ][0-9]{2}[- ][0-9]{4}(?![\w-])",  # SSN
    rf"\b{_RECORD}\.?\s*[:#=]?\s*#?\s*{_NUMBER}",
    rf"\b(?:id|acc(?:ession)?|chart|account|nhs)(?:\.?\s*[:#=]\s*#?\s*{_NUMBER}|\.?\s*{_LONG_NUMBER})",
    r"\b(?:tel(?:ephone|efon|éfono|efono)?|phone|fax|mobile|pager|beeper|tél)\b[\s.:#-]*\+?[0-9(][0-9()\s./-]*[0-9]",
    rf"\b(?:ph|call|cell|ext|handy)\b(?:\s*[.:#][\s.:#-]*|[\s-]*(?=[+(]|[0-9]{{3}}(?!{_IS_SIZE})))"
    r"\+?[0-9(][0-9()\s./-]*[0-9]",
    r"(?<![\w.])(?:\+|00)[0-9][0-9 ()/.-]{5,}[0-9]",  # telephone
    r"(?<![\w.])\(?0[0-9]{2,5}\)?[ /-][0-9][0-9 /-]{3,}[0-9]",
    rf"(?<![\w.,/])(?:\+?1[ .-]?)?\(?{_ROUND}[2-9][0-9]{{2}}\)?[ .-]{{0,2}}[0-9]{{3}}[ .-][0-9]{{4}}(?![\w]|[.,][0-9])",
    rf"(?<![\w.,/]){_ROUND}[2-9][0-9]{{2}}(?:-|(?<!-[0-9]{{3}})\.)[0-9]{{4}}(?![\w]|[.,][0-9]|{_IS_SIZE})",
    rf"(?<![\w.,])(?![1-4]D\b)[0-9]{{1,5}}[a-z]?(?!\s?[cm]m\b),?\s+(?:{_CAPITAL}\s+){{1,3}}{_STREET}",  # addresses
    rf"\b[0-9]{{1,4}}(?:\s?(?:bis|ter))?,?\s+(?:rue|avenue|boulevard|place|chemin|allée|impasse|quai)\s+"
    rf"(?:(?:de|du|des|la|le|l')\s*)*(?-i:{_CAPITAL})",
    rf"(?<![\w.])(?:calle|avenida|plaza|paseo|rua|via|viale|piazza|corso)\s+(?:(?:de|del|di|da|do|la|el)\s+)*"
    rf"(?-i:{_CAPITAL})(?:\s+(?-i:{_CAPITAL}))*,?\s*[0-9]+",
    r"\b(?:p\.?\s?o\.?\s?box|postfach|apartado)\s*[0-9]+",
    r"\bbp\s*[0-9]{4,}+(?!\s?/)",  # blood pressure has fewer
    r"\b(?:plate|kennzeichen)\s*:?\s*[A-Z]{1,4}[ -]?[0-9]{3,4}\b",
    r"(?-i:\b[A-Z]{1,2}[0-9][A-Z0-9]? (?![23]D)[0-9][A-Z]{2}\b)",  # post codes of the UK
    r"(?-i:\b[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]\b)",  # and of Canada
    r"(?-i:,?\s?\b[A-Z]{2}\s{1,3}[0-9]{5}(?:-[0-9]{4})?\b)",  # state and ZIP code
    # ages over 89
    rf"{_START}(?:{_OLD}\s?[-–]\s?)?{_OLD}[\s-]*{_YEARS}",
    rf"{_START}p?{_OLD}y(?:[0-9]{{1,2}}(?:m(?:o|on|onths?)?|w|d)?)?{_END}",
    rf"{_START}{_OLDEST}(?-i:a){_END}",
    rf"{_START}{_OLD}\.\s?(?:lj{_END}|lebensjahr)",
    rf"{_START}{_NO_SETTING}(?<!\btc[\s-])(?<!tc_)(?<!ium[\s-])(?!99m[\s-]?(?:tc|tech|pert)){_OLDEST}"
    rf"(?:[\s/,-]{{0,2}}{_SEX}|[/,]\s?m){_END}(?!-?[0-9])",  # 90 m are metres
    rf"{_START}(?:m(?:ale)?|f(?:emale)?|w{_NO_WINDOW})[\s/:,-]{{0,2}}{_OLDEST}{_END}(?![.,][0-9]|{_IS_SIZE})",
    rf"{_START}(?:aged?|alter|âge|edad|età|leeftijd|idade|(?:ä|ae)t(?:at)?\.?|elderly)[\s:=_(]*{_OLD}{_END}(?![.,][0-9])(?:[\s-]*{_YEARS})?",
    rf"{_START}1,?(?:0[89]|[1-7][0-9])[0-9]\s?(?:mos?|months?|monate?|mois|meses|mesi|maanden|(?-i:M)){_END}",
    rf"{_START}(?:4,?69[6-9]|4,?[7-9][0-9]{{2}}|[5-7],?[0-9]{{3}})\s?(?:wks?|weeks?|wochen?|semaines?|semanas?|weken){_END}",
    rf"\b(?:his|her|their|in the)\s+(?:(?:early|mid|late)[\s-]+)?{_OLDEST}['’]?s{_END}",  # 90s are seconds elsewhere
    rf"{_START}{_OLDEST}(?:['’]s{_END}|\+(?!\s?[0-9]|\w))",
    rf"\bninet(?:y{_TENS}|ies){_END}(?:[\s-]*{_YEARS})?",
    r"\b(?:one |a )?hundred(?:[\s-](?:and )?[a-z]+)?(?=[\s-]+years?\b)",
    r"\b(?:dob|d\.o\.b\.?|born|geb\.?|geboren|né|née|birth\s?date)\b[\s:.]*(?:in\s+)?(?:[0-9]{1,4}\b)?",
)
_STREETS = (
    rf"\b(?P<street>{_CAPITAL}(?:str(?:aße|asse|\.)|[Ss]traße|weg|gasse|allee|platz|ring|ufer|damm|straat|laan))"
    r"\s*[0-9]++(?![.,][0-9])\s?[a-z]?\b"
)
_DWELLINGS = (  # of a street and a town, whatever they are called, the numbers: to the end of the sentence
    r"(?i:(?P<label>\b(?:liv(?:es|ing)|resid(?:es|ing)|address|wohnhaft|anschrift|adresse|domicilio|indirizzo|adres)"
    r"(?:\s(?:at|in|on|en|a|is)\b|\s?:))(?P<place>(?:(?!(?:(?<=[0-9])|(?<=[^\W_]{3}))\.\s)[^;]){0,60}))"
)
_OF_HOUSE = r"(?<![0-9])[0-9][0-9/-]*+[a-z]?(?![0-9]|\s?(?:y(?:ea)?rs?|months?|weeks?|days?|h(?:ou)?rs?|[cm]m|mg|ml|%))"
_PLATES = r"(?<![\w-])(?P<town>[A-ZÄÖÜ]{1,3})-(?P<letters>[A-Z]{1,2}) [0-9]{3,4}(?![\w.,]|\s?[mk])"
_CHAINS = (  # also A 123 456 789 and 123.456.789-09
    r"(?<![\w.,])(?:[A-Z] )?(?P<groups>[0-9]{1,5}(?P<mark>[ ./-])[0-9]{1,5}(?:(?P=mark)[0-9]{1,5}(?![0-9]))++)"
    r"(?:-(?:[0-9]{1,2}|[A-Z])\b)?"
)
_OF_TECHNIQUE = re.compile("[0-9]*0|128|192|256|384|448|512|768|1024|1536|2048")  # numbers in lists of settings
GROUPS_OVER_DATES = 6
_FEWEST_DIGITS = 9  # of a chain that is somebody's number
#: Without one of these in it a text has none of the forms.
_MARKS = re.compile(r"[0-9@\\]|(?i:ninet|hundred)|:/|[Ww]{3}\.|\.[A-Za-z]|/\w+/")


@cache
def _of_the_net() -> re.Pattern[str]:
    return re.compile("|".join(_OF_THE_NET), re.IGNORECASE)


@cache
def _forms() -> re.Pattern[str]:
    return re.compile("|".join(_FORMS), re.IGNORECASE)


@cache
def _judged_forms() -> tuple[re.Pattern[str], ...]:
    return re.compile(_STREETS), re.compile(_PLATES)


@cache
def _dwellings() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return re.compile(_DWELLINGS), re.compile(_OF_HOUSE, re.IGNORECASE)


@cache
def _chains() -> re.Pattern[str]:
    return re.compile(_CHAINS)


def without_addresses_of_the_net(text: str, hole: str) -> str:
    """text: one line. E-mail addresses, URLs and names of hosts, which may seem to hold a date, a name or an ID: to be
    asked before these."""
    return _of_the_net().sub(hole, text) if "." in text or "@" in text or ":/" in text else text


def without_identifying_forms(text: str, hole: str) -> str:
    """text: one line. Each form found is replaced by hole."""
    if not _MARKS.search(text):
        return text
    for pattern in _judged_forms():
        text = pattern.sub(lambda match: match[0] if _is_clinical(match) else hole, text)
    dwellings, of_house = _dwellings()
    text = dwellings.sub(lambda match: match["label"] + of_house.sub(hole, match["place"]), text)
    return without_long_numbers(_forms().sub(hole, text), hole)


def without_long_numbers(text: str, hole: str, fewest_groups: int = 3) -> str:
    """text: one line. Numbers of nine digits or more that are written in groups are replaced by hole: of telephones,
    cards and insurances. Those of GROUPS_OVER_DATES may seem to hold a date: to be asked before dates are taken out."""
    return _chains().sub(lambda match: match[0] if _is_list(match, fewest_groups) else hole, text)


def _is_clinical(match: re.Match[str]) -> bool:
    """`Monitoring 10`, `PET-CT 123`: no street, no number plate."""
    part = match.groupdict()
    if street := part.get("street"):
        return street.endswith(("oring", "ering")) or folded(street) in lexicon().words
    return any(len(part[name]) > 1 and part[name].lower() in lexicon().core for name in ("town", "letters"))


def _is_list(match: re.Match[str], fewest_groups: int) -> bool:
    """`TE 10 20 31`, `0-500-1000`, `512 512 120`, `101 202 303 mm`."""
    groups = match["groups"].split(match["mark"])
    return (
        len(groups) < fewest_groups
        or sum(map(len, groups)) < _FEWEST_DIGITS
        or max(map(len, groups)) < 3
        or all(map(_OF_TECHNIQUE.fullmatch, groups))
        or follows_a_setting(match.string, match.start("groups"))
        or re.match(_IS_SIZE, match.string[match.end() : match.end() + 6], re.IGNORECASE) is not None
    )
