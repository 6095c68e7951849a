"""What identifies by its form, whoever it belongs to: contacts, numbers of records, addresses, titles, old ages.

Compiled on first use: few processes clean text.
"""

import re
from functools import cache

_START, _END = r"(?<![^\W_])(?<![0-9][.,])", r"(?![^\W_])"  # of a word or a number, also beside _
_YEARS = (
    rf"(?:(?:y\.?/?\s?o\.?|yrs?|years?|y|jahre?|j|jr|ans|años|anni|jaar|anos|år|aar|let|лет|года?|років|vuotta|yaş|"
    rf"ετών|éves|ani|godina|سنة|שנים){_END}(?:[\s-]*old{_END})?|(?:y/?o?[mfw]|old|j(?:ä|ae)hrige?[mnrs]?){_END}|[歳才岁歲세])"
)
_OLD = r"(?:0?9[0-9]|1[0-4][0-9])"  # over 89
_OLDEST = r"(?:9[0-9]|1[01][0-9])"  # over 89; where only a letter says that it is an age
_SEX = r"(?:m(?:ale|an)?|f(?:emale)?|w(?!\s?(?:[/&+]|con|gad|gd|iv|km))(?:oman)?)"  # W/O, W contrast: without, with
_NO_WINDOW = (  # W90 L40
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
    r"(?:mrn|mpi|pid|ssn|pat(?:ient)?s?[\s._-]*(?:id|no|nr|number)|acc(?:ession)?[\s._-]*(?:no|nr|number|num)|"
    r"(?:fall|auftrags?|patienten)[\s-]*(?:nr|nummer|id)|(?:case|chart|account|order)[\s-]*(?:no|number)|"
    r"medical record(?:[\s-]*(?:no|number))?|nhs no)"
)
_NUMBER = r"(?=[A-Z/-]*[0-9])[A-Z0-9][A-Z0-9/-]*\b"
_LONG_NUMBER = r"(?=(?:[A-Z/-]*[0-9]){4}|[A-Z]{1,3}-?[0-9]{2})[A-Z0-9][A-Z0-9/-]*\b"  # or letters and digits
_ROUND = r"(?![0-9][05]0[ .-](?:[0-9][05]0[ .-])?[0-9]{2}[05]0)"  # 200-400-1000 are b-values

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
    # ages over 89
    rf"{_START}(?:{_OLD}\s?[-–]\s?)?{_OLD}[\s-]*{_YEARS}",
    rf"{_START}(?<!\btc[\s-])(?<!tc_)(?<!ium[\s-])(?!99m[\s-]?(?:tc|tech|pert)){_OLDEST}[\s/,-]{{0,2}}{_SEX}{_END}(?!-?[0-9])",
    rf"{_START}(?:m(?:ale)?|f(?:emale)?|w{_NO_WINDOW})[\s/:,-]{{0,2}}{_OLDEST}{_END}(?![.,][0-9]|{_IS_SIZE})",
    rf"\b(?:aged?|alter|âge|edad|età|leeftijd|idade)\s*[:=]?\s*{_OLD}{_END}(?![.,][0-9])(?:[\s-]*{_YEARS})?",
    rf"{_START}1,?(?:0[89]|[1-7][0-9])[0-9]\s?(?:mos?|months?|monate?|mois|meses|mesi|maanden|(?-i:M)){_END}",
    rf"{_START}(?:4,?69[6-9]|4,?[7-9][0-9]{{2}}|[5-7],?[0-9]{{3}})\s?(?:wks?|weeks?|wochen?|semaines?|semanas?|weken){_END}",
    rf"\b(?:his|her|their|in the)\s+(?:(?:early|mid|late)[\s-]+)?{_OLDEST}['’]?s{_END}",  # 90s are seconds elsewhere
    rf"{_START}{_OLDEST}(?:['’]s{_END}|\+(?!\s?[0-9]|\w))",
    rf"\bninet(?:y{_TENS}|ies){_END}(?:[\s-]*{_YEARS})?",
    r"\b(?:one |a )?hundred(?:[\s-](?:and )?[a-z]+)?(?=[\s-]+years?\b)",
    r"\b(?:dob|d\.o\.b\.?|born|geb\.?|geboren|né|née|birth\s?date)\b[\s:.]*(?:in\s+)?(?:[0-9]{1,4}\b)?",
)
#: Without one of these in it a text has none of the forms.
_MARKS = re.compile(r"[0-9@\\]|(?i:ninet|hundred)|:/|[Ww]{3}\.|\.[A-Za-z]|/\w+/")


@cache
def _forms() -> re.Pattern[str]:
    return re.compile("|".join(_FORMS), re.IGNORECASE)


def without_identifying_forms(text: str, hole: str) -> str:
    """text: one line. Each form found is replaced by hole."""
    return _forms().sub(hole, text) if _MARKS.search(text) else text
