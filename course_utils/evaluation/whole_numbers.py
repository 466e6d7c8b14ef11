"""Which whole number does an answer state? One grammar, and everything else is no whole number.

An answer is read from left to right, never by deleting what disturbs: a deleted mark joins digits
that do not belong together, and ``24 cm^2`` becomes 242.  What is read::

    answer  =  [phrase] [name "="]... number [unit]
    phrase  =  "the answer is", "Answer:", the same in Chinese
    name    =  x, n_1, f(3), |A|, AB, m+n, or a calculation without letters (40+2)
    number  =  [sign] [currency] digits [".0"]
    digits  =  42 | 1,000 | 1{,}000 | 1\\,000 | 1 000 | 1'000 | 4 2 (each digit apart)
    unit    =  words, each with a power or not, joined by a space, "/" or \\cdot | % | degrees

all of it inside boxes, braces, dollar signs, ``\\text{}``, bold or not, in digits of any script.
Not read: what is not worked out (``2^9``, ``40+2``, ``84/2``), several numbers, words that change
the number ("thousand", "at most", "not"), bases (``52_8``), and equations that state something else
than the unknown (``n^2 = 49``, ``2x = 42``): there the number is not surely the answer.
"""

from __future__ import annotations

import re

LONGEST = 400
"""Characters; a longer text is no number."""

_MINUS_SIGNS = "−‐‑‒–﹣－"
_SPACES = "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000"
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
# Full-width forms of ASCII, as Chinese keyboards write them.
_PLAIN = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_PLAIN |= {ord(c): "-" for c in _MINUS_SIGNS} | {ord(c): " " for c in _SPACES}
_PLAIN |= {ord(c): None for c in _INVISIBLE}
_PLAIN |= {ord("٬"): ",", ord("٫"): ".", ord("￥"): "¥", ord("’"): "'", ord("。"): "."}

_GAP = r"(?:\s|~|\\[ ,;:!]|\\q?quad(?![A-Za-z]))"
_SEPARATOR = r"(?:(?:,|\{,\})(?:\\!)?|\\[,;:! ]|~| |')"
_THOUSANDS = rf"\d{{1,3}}(?P<separator>{_SEPARATOR})\d{{3}}(?:(?P=separator)\d{{3}})*"
_DIGITS = rf"(?:{_THOUSANDS}|\d(?: \d)+|\d+)"
_CURRENCY = r"(?:(?:US|A|C)?\\?\$|€|£|¥|₹|₩|\\(?:pounds|euro|yen)(?![A-Za-z])|USD|EUR|GBP|RMB|CNY)"
# Before the number a tilde may mean "about", so it is no space there.
_BLANK = r"(?:\s|\\[ ,;:!])"
_NUMBER = re.compile(
    rf"(?P<sign>[+-])?{_BLANK}*(?:{_CURRENCY}{_BLANK}*)?(?P<inner_sign>[+-])?{_BLANK}*"
    rf"(?P<digits>{_DIGITS})(?:\.0*)?(?![\d.,'_])"
)

_WRAPPERS = (
    "text|textrm|textbf|textit|textsf|texttt|textnormal|mathrm|mathbf|mathit|mathsf|mathtt"
    "|boldsymbol|bm|mbox|hbox|operatorname|rm|bf|emph|underline|boxed|fbox"
)
_WRAPPER = re.compile(rf"\\(?P<name>{_WRAPPERS})\s*\{{")
_LAYOUT = re.compile(
    rf"(?:{_BLANK}|\\(?:displaystyle|textstyle|q?quad|large|Large|LARGE|huge|Huge|bf|rm|it)"
    r"(?![A-Za-z])|\\(?:text)?color\s*\{\s*[A-Za-z]+\s*\})+"
)
_MARKS = (
    ("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**"), ("__", "__"),
    ("*", "*"), ("`", "`"), ('"', '"'), ("“", "”"), ("{", "}"), ("(", ")"), ("\\left(", "\\right)"),
)  # fmt: skip
_ANSWER = r"(?:the\s+)?(?:final\s+|correct\s+)?answer(?:\s+is|\s*:)+"
_PHRASE = re.compile(
    rf"(?:(?:so|thus|therefore|hence),?\s+)?{_ANSWER}|(?:所以|因此|故)?(?:最终|正确)?答案?\s*(?:是|为|等于|:)+",
    re.IGNORECASE,
)

_DEGREES = re.compile(rf"{_GAP}*(?:\^\s*(?:\\circ|\{{\s*\\circ\s*\}})|°|\\degree(?![A-Za-z]))")
_PERCENT = re.compile(rf"{_GAP}*\\?%")
_ORDINAL = re.compile(
    r"\^\s*\{?\s*(?:\\(?:text|textrm|mathrm)\s*)?\{?\s*(?:st|nd|rd|th)\s*\}?\s*\}?"
)
_NOTHING = re.compile(rf"{_GAP}*")
_AFTER = re.compile(rf"{_GAP}*{_CURRENCY}")
_POWER = re.compile(r"\s*\^\s*(?:\{\s*[+-]?[1-9]\s*\}|-?[1-9](?!\d))|⁻?[¹²³⁴⁵⁶]")
_JOIN = re.compile(rf"{_GAP}*(?:/|\\cdot(?![A-Za-z])|·|⋅|\*){_GAP}*")
_WORD = re.compile(r"[A-Za-zµμΩÅéèüöäñ]+(?:['-][A-Za-z]+)*")

# Words that change the number before them, or say that it is not the answer.
_CHANGING_WORDS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety
hundred hundreds thousand thousands million millions billion billions trillion trillions
k mn mln bn mio mrd tsd mille mila mil tausend millionen milliarde milliarden millones milliard
milliards milioni miliardi lakh lakhs lac lacs crore crores myriad myriads googol grand
tens teen teens dozen dozens score gross half halves third thirds quarter quarters fourth fourths
fifth fifths sixth sixths seventh sevenths eighth eighths ninth ninths tenth tenths
double doubled twice triple tripled thrice halved negated reciprocal
pi plus minus times over divided multiplied by to power powers exponent root factorial choose
mod modulo modulus base radix binary ternary quaternary octal duodecimal hexadecimal hex remainder
rem log ln sqrt repeating recurring rounded estimate estimated bound loss debt deficit short
and or nor not non no none never but if when unless except without because since so thus then
either neither both versus vs oder und ou et y o
at least most more less fewer greater smaller larger than about approximately approx around
roughly nearly almost circa up under below above between from until through maximum minimum max
is are was were be been being isn't aren't cannot can't doesn't don't won't can could would should
may might fails contradiction
wrong incorrect false impossible undefined infinite infinity unknown maybe perhaps possibly
probably guess assuming where which whose that other another instead rather ago before earlier
bis mehr weniger
"""
_CHANGING = frozenset(_CHANGING_WORDS.split())
# And those that English makes of number words: quadrillion, twelfths, twentieth, fortyfold.
_CHANGING_FORM = re.compile(
    r".*illions?|(?:eleven|twelf|.*(?:teen|tie|hundred|thousand|illion|dozen))ths?|.*fold"
)
_BEFORE_UNIT = ("square", "cubic", "sq", "cu", "negative", "inverse")
_AFTER_UNIT = ("squared", "cubed")
_LETTER_UNITS = "mgshlLdtJNWVAKCFµμΩÅ"
# In mathematics set in italics, one letter is an unknown; these stand apart from the number.
_ITALIC_LETTER_UNITS = "mgshL"
_ITALIC_UNITS_TEXT = """
mm cm dm km nm kg mg ml mL cl dl hl mph kmh kph sec secs min mins hr hrs ft yd mi lb lbs oz
deg rad Hz kHz MHz Pa kPa mol cal kcal kJ kW kWh kN mA kV ms ns men
"""
_ITALIC_UNITS = frozenset(_ITALIC_UNITS_TEXT.split())

_CHINESE_UNIT = re.compile(
    r"\s*(?:(?:平方|立方)(?:千米|厘米|毫米|分米|公里|米)|千米|厘米|毫米|分米|公里|米|千克|毫克|公斤|克|吨"
    r"|毫升|升|小时|分钟|秒|星期|个月|美元|欧元|摄氏度|[天日周月年岁元角分度人个個只本支张枚颗名位种对条台"
    r"辆件块组题页项根头匹座层步次棵朵双套把间盒箱瓶杯袋封场粒滴円]|개|명|원)"
    r"(?:[^\W\d_a-zA-Z万亿兆千百十半多余倍或和与不到至约以上下前后左右非零一二三四五六七八九两几负减加乘除分之若]{0,4})"
)  # fmt: skip

_NAME = (
    r"(?:[A-Za-z]|[A-Z]{2,4}|\\[A-Za-z]+|\\(?:overline|angle|widehat)\s*\{?\s*[A-Z]{1,4}\s*\}?)"
    r"'*(?:_(?:\w|\{[^{}]*\}))?'*"
)
_ARGUMENTS = r"\s*(?:\\left)?\(\s*-?\d+(?:\s*,\s*-?\d+)*\s*(?:\\right)?\)"
_NAMED = re.compile(
    rf"{_NAME}(?:{_ARGUMENTS})?|{_NAME}(?:\s*[+-]\s*{_NAME})+|\|\s*[A-Z]\w*\s*\|"
    rf"|#\s*[A-Z]|\\(?:left)?\|\s*[A-Z]\w*\s*\\(?:right)?\|"
)
_CALCULATION = re.compile(
    r"(?=.*\d)(?:[\d\s+\-*/^().,{}!%|·×÷]"
    r"|\\(?:cdot|times|div|[dt]?frac|sqrt|[dt]?binom|left|right|lfloor|rfloor|lceil|rceil|bmod|mod"
    r"|gcd|operatorname\{(?:gcd|lcm)\}|log(?:_\{?\d+\}?)?|[,;:! ]))+",
    re.DOTALL,
)


def read_whole_number(text: str) -> int | None:
    """The whole number that an answer (the content of a box) states; None if it states none."""
    if len(text) > LONGEST:
        return None
    body, upright = _unwrap(plain(text))
    *before, last = _split_at_equals(body)
    if before:
        if not all(_is_named(part) for part in before):
            return None
        last, upright = _unwrap(last, upright)
    last, upright = _unwrap(without_phrase(last), upright)
    last, upright = _without_leading_face(last, upright)
    number = _NUMBER.match(last)
    if not number or (number["sign"] and number["inner_sign"]):
        return None
    if not _is_unit(last[number.end() :], upright):
        return None
    value = int(re.sub(r"\D", "", number["digits"]))
    return -value if "-" in (number["sign"], number["inner_sign"]) else value


def plain(text: str) -> str:
    """The text with digits, signs, spaces and Latin letters of every width and script as ASCII's.

    A raised two stays what it is: it is no digit of the number.
    """
    text = text.translate(_PLAIN)
    if text.isascii():
        return text
    return "".join(str(int(c)) if c.isdecimal() else c for c in text)


def _unwrap(text: str, upright: bool = False) -> tuple[str, bool]:
    """The text without what stands around all of it, and whether it is set upright, as words."""
    while True:
        before = text
        text = _LAYOUT.sub("", text, count=1) if _LAYOUT.match(text) else text
        text = text.strip()
        wrapper = _WRAPPER.match(text)
        if wrapper and _closing(text, wrapper.end()) == len(text) - 1:
            text = text[wrapper.end() : -1]
            upright = upright or wrapper["name"] not in ("boxed", "fbox", "underline", "boldsymbol")
        for left, right in _MARKS:
            inner = text[len(left) : -len(right)]
            if (
                len(text) > len(left + right)
                and text.startswith(left)
                and text.endswith(right)
                and left not in inner
                and right not in inner
            ):
                text = inner
                break
        if re.search(r"(?<![.\\])[.,]$", text):  # a full stop, but not dots or a thin space
            text = text[:-1]
        if text == before:
            return text, upright


def _closing(text: str, start: int) -> int:
    """Where the brace closes that opened before ``start``; -1 if it never does."""
    depth, position = 1, start
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 1
        else:
            depth += (character == "{") - (character == "}")
            if not depth:
                return position
        position += 1
    return -1


def _split_at_equals(text: str) -> list[str]:
    """The parts between the equals signs that stand in no brackets."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in "({[") - (character in ")}]")
        if character == "=" and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]]


def _is_named(part: str) -> bool:
    """Does this stand for one quantity, so that what equals it is its value?"""
    part, upright = _unwrap(part)
    part, upright = _unwrap(without_phrase(part + ":").rstrip(": ") or "x", upright)
    if _NAMED.fullmatch(part) or _CALCULATION.fullmatch(part):
        return True
    words = part.split()
    return all(_WORD.fullmatch(w) and (upright or _looks_like_a_word(w)) for w in words) and not (
        any(changes_number(word) for word in words)
    )


def changes_number(word: str) -> bool:
    """Does this word change the number beside it, or take it back ("thousand", "about", "not")?"""
    word = word.lower()
    return word in _CHANGING or _CHANGING_FORM.fullmatch(word) is not None


def without_phrase(text: str) -> str:
    """The text behind "the answer is", whether that stands in ``\\text{}`` or not."""
    wrapper = _WRAPPER.match(text)
    end = _closing(text, wrapper.end()) if wrapper else -1
    if wrapper and end >= 0:
        phrase = _PHRASE.fullmatch(text[wrapper.end() : end].strip())
        return text[end + 1 :] if phrase else text
    phrase = _PHRASE.match(text)
    return text[phrase.end() :] if phrase else text


def _without_leading_face(text: str, upright: bool) -> tuple[str, bool]:
    """The number without a face that ends before the rest: ``\\mathbf{42}\\text{ ways}``."""
    wrapper = _WRAPPER.match(text)
    end = _closing(text, wrapper.end()) if wrapper else -1
    rest = text[end + 1 :]
    if not wrapper or end < 0 or re.match(r"\s*\d", rest):
        return text, upright
    words = wrapper["name"].startswith(("text", "mathrm", "mbox")) and rest[:1] in "^²³"
    return text[wrapper.end() : end] + rest, upright or words


def _is_unit(text: str, upright: bool) -> bool:
    """Is what follows the number nothing, or a unit or thing counted?"""
    if _NOTHING.fullmatch(text):
        return True
    for mark in (_DEGREES, _PERCENT, _ORDINAL, _AFTER):
        found = mark.match(text)
        if found:
            rest = text[found.end() :]
            return not rest.strip() or (mark is _DEGREES and _are_units(rest, upright))
    return bool(_CHINESE_UNIT.fullmatch(_unwrap(text)[0])) or _are_units(text, upright)


def _are_units(text: str, upright: bool) -> bool:
    bracketed = re.fullmatch(r"\s*\(([^()]*)\)\s*", text)
    words = _unit_words(bracketed[1] if bracketed else text, upright, not bracketed)
    if not words or len(words) > 6:
        return False
    if words[0].lower() in (*_AFTER_UNIT, "all") or words[-1].lower() in _BEFORE_UNIT:
        return False
    return not any(changes_number(word) for word in words)


def _unit_words(text: str, upright: bool, attached: bool = True) -> list[str] | None:
    """The words of a unit; None if there is anything else in it.

    ``attached``: does the text follow the number without a space?
    """
    words: list[str] = []
    position, joined = 0, False
    while position < len(text):
        rest = text[position:]
        gap = re.match(rf"{_GAP}+", rest)
        join = _JOIN.match(rest)
        power = _POWER.match(rest)
        wrapper = _WRAPPER.match(rest)
        word = _WORD.match(rest)
        if join and words and not joined:
            position, joined, attached = position + join.end(), True, False
        elif gap:
            position, attached = position + gap.end(), False
        elif power and words and not joined:
            position += power.end()
        elif wrapper and wrapper["name"] not in ("boxed", "fbox"):
            end = _closing(rest, wrapper.end())
            inner = _unit_words(rest[wrapper.end() : end], True, False) if end >= 0 else None
            if inner is None:
                return None
            words, joined = words + inner, joined and not inner
            position, attached = position + end + 1, False
        elif word and _stands_for_a_unit(word[0], upright, attached):
            words, joined = [*words, word[0]], False
            position, attached = position + word.end(), True
            if upright and text.startswith(".", position):  # sq. units
                position += 1
        else:
            return None
    return None if joined else words


def _stands_for_a_unit(word: str, upright: bool, attached: bool) -> bool:
    if len(word) == 1:
        if not upright:
            return word in _ITALIC_LETTER_UNITS and not attached
        return word in _LETTER_UNITS
    if upright or word in _ITALIC_UNITS:
        return True
    return not attached and _looks_like_a_word(word)


def _looks_like_a_word(word: str) -> bool:
    """Letters in a row can be a product of unknowns; four with a vowel are a word."""
    return word in ("sum", "ans") or (len(word) >= 4 and bool(re.search("[aeiou]", word.lower())))
