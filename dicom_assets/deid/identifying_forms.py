"""What identifies by its form, whoever it belongs to: contacts, numbers of records, addresses, titles, old ages.

Compiled on first use: few processes clean text.
"""

import re
from functools import cache

_UNIT = r"(?:y/?o|yrs?|years?|y|jahre?|j|ans|años|anni|jaar|anos)"
_OLD = r"(?:0?9[0-9]|1[0-4][0-9])"
_STREET = (
    r"(?:street|road|avenue|lane|drive|boulevard|crescent|terrace|square|highway|parkway|court|clinic road|"
    r"st\.?(?=\s*(?:,|$))|rd\.?(?=\s*(?:,|$))|ave\.?(?=\s*(?:,|$|\s))|blvd\.?|ln\.?(?=\s*(?:,|$))|hwy\.?)"
)
_DOMAIN = "(?:com|org|net|edu|gov|de|uk|fr|es|it|nl|ch|at|eu|us|info|local|lan|invalid)"
_CAPITAL = r"[A-ZÄÖÜÀ-Þ][\w.'’-]{0,40}"
_RECORD = (
    r"(?:mrn|mpi|pid|ssn|pat(?:ient)?s?[\s._-]*(?:id|no|nr|number)|acc(?:ession)?(?:[\s._-]*(?:no|nr|number|num))?|"
    r"(?:fall|auftrags?|patienten)[\s-]*(?:nr|nummer|id)|case[\s-]*(?:no|number)|chart(?:[\s-]*(?:no|number))?|"
    r"account(?:[\s-]*(?:no|number))?|order[\s-]*(?:no|number)|medical record(?:[\s-]*(?:no|number))?|id|nhs(?: no)?)"
)

_FORMS = (
    r"(?<![\w.+%-])[\w.+%-]{1,64}(?:@[\w-]+(?:\.[\w-]+)*|\s?@\s?[\w-]+(?:\.[\w-]+)+)",  # e-mail
    r"\b[a-z][a-z0-9+.-]{0,20}://\S+",  # URL
    r"\bwww\.\S+",
    rf"(?<![\w.-])[a-z0-9-]{{1,63}}(?:\.[a-z0-9-]{{1,63}}){{0,6}}\.{_DOMAIN}\b(?:[/:]\S*)?",
    r"\b[a-z]:[\\/]\S+|\\\\\w\S+|(?<![\w.])/(?:home|users|mnt|data|var|tmp)/\S+",  # paths
    r"(?<![\w.])[0-9]{1,3}(?:\.[0-9]+){3,}(?![\w])",  # IP address, UID
    r"(?<![\w:])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![\w:])",  # MAC address
    r"(?<![\w:])(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{1,4}(?![\w:])",  # IPv6 address
    r"(?<![\w-])[0-9]{3}[- ][0-9]{2}[- ][0-9]{4}(?![\w-])",  # SSN
    rf"\b{_RECORD}\.?\s*[:#=]?\s*#?\s*(?=[A-Z/-]*[0-9])[A-Z0-9][A-Z0-9/-]*\b",
    r"\b(?:tel(?:ephone|efon|éfono|efono)?|phone|ph|fax|call|mobile|cell|pager|beeper|ext|handy|tél)\b[\s.:#-]*"
    r"\+?[0-9(][0-9()\s./-]*[0-9]",
    r"(?<![\w.])(?:\+|00)[0-9][0-9 ()/.-]{5,}[0-9]",  # telephone
    r"(?<![\w.])\(?0[0-9]{2,5}\)?[ /-][0-9][0-9 /-]{3,}[0-9]",
    r"(?<![\w.,/])\(?[2-9][0-9]{2}\)?[ .-]{1,2}[0-9]{3}[ .-][0-9]{4}(?![\w]|[.,][0-9])",
    r"(?<![\w.,/])[2-9][0-9]{2}-[0-9]{4}(?![\w]|[.,][0-9])",
    rf"\b[0-9]{{1,5}}[a-z]?,?\s+(?:{_CAPITAL}\s+){{1,3}}{_STREET}",  # addresses
    rf"(?-i:\b{_CAPITAL}(?:str(?:aße|asse|\.)|[Ss]traße|weg|gasse|allee|platz|ring|ufer|damm|straat|laan))"
    r"\s*[0-9]+\s?[a-z]?\b",
    rf"\b[0-9]{{1,4}}(?:\s?(?:bis|ter))?,?\s+(?:rue|avenue|boulevard|place|chemin|allée|impasse|quai)\s+"
    rf"(?:(?:de|du|des|la|le|l')\s*)*(?-i:{_CAPITAL})",
    rf"\b(?:calle|avenida|plaza|paseo|rua|via|viale|piazza|corso)\s+(?:(?:de|del|di|da|do|la|el)\s+)*"
    rf"(?-i:{_CAPITAL})(?:\s+(?-i:{_CAPITAL}))*,?\s*[0-9]+",
    r"\b(?:p\.?\s?o\.?\s?box|postfach|bp|apartado)\s*[0-9]+",
    r"(?-i:\b[A-Z]{1,2}[0-9][A-Z0-9]? (?![23]D)[0-9][A-Z]{2}\b)",  # post codes of the UK
    r"(?-i:\b[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]\b)",  # and of Canada
    r"(?-i:,?\s?\b[A-Z]{2}\s{1,3}[0-9]{5}(?:-[0-9]{4})?\b)",  # state and ZIP code
    rf"(?<![\w.,]){_OLD}[\s-]*(?:{_UNIT}(?:[\s-]*old)?|jährige?r?|jaehrige?r?)\b",  # ages over 89
    rf"\b(?:aged?|alter|âge|edad|età)\s*[:=]?\s*{_OLD}(?![\w.,])",
    r"\b(?:dob|d\.o\.b\.?|born|geb\.?|geboren|né|née|birth\s?date)\b[\s:.]*(?:in\s+)?(?:[0-9]{1,4}\b)?",
)
#: Without one of these in it a text has none of the forms.
_MARKS = re.compile(r"[0-9@\\]|:/|[Ww]{3}\.|\.[A-Za-z]|/\w+/")


@cache
def _forms() -> re.Pattern[str]:
    return re.compile("|".join(_FORMS), re.IGNORECASE)


def without_identifying_forms(text: str, hole: str) -> str:
    """text: one line. Each form found is replaced by hole."""
    return _forms().sub(hole, text) if _MARKS.search(text) else text
