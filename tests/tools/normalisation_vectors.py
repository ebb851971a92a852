"""Normalisation v1 and keys in plain Python, by counting.md's words alone, and the examples that are published of them.

`python -m tests.tools.normalisation_vectors` writes affiliates/identity/normalisation_v1.json anew. Nothing of
`affiliates.identity` is used but the test key. Telephone numbers' results are written here by hand: no second library
reads them.
"""

import hashlib
import hmac
import json
import unicodedata
from collections.abc import Iterator

from affiliates.identity.keys import TEST_KEY
from tests.support.paths import ROOT

FILE = ROOT / "affiliates" / "identity" / "normalisation_v1.json"
WHITE = " \t\n\r\x0b\x0c"
NOBODY = {
    "", "none", "null", "nil", "nan", "na", "n/a", "unknown", "undefined", "anonymous", "not set", "(not set)", "0", "-1", "-",
    "?", "00000000-0000-0000-0000-000000000000", "\\n", "\\\\n", "__hive_default_partition__", "<na>", "nat", "-nan", "dbnull",
    "system.dbnull", "undef", "false", "[object object]", "$null$", "_null_", "__null__", "#n/a", "#na", "#null!", "#value!",
    "#ref!", "#name?", "#num!", "#div/0!", "n.a.", "-1.0", "0x0", "empty", "missing", "not available", "not provided",
    "(not provided)", "not-set", "not_set", "notset", "no value", "anon", "guest", "deleted", "[deleted]", "redacted",
    "[redacted]",
    "ffffffff-ffff-ffff-ffff-ffffffffffff", "f" * 32, "9774d56d682e549c", "02:00:00:00:00:00", "020000000000",
    "d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
}  # fmt: skip
NO_VALUE = ("null", "none", "nil", "undefined", "unknown", "empty", "missing", "anonymous")
NOBODY |= {f"{a}{word}{b}" for a, b in ("()", "<>", "[]", "{}", "''", '""', "``") for word in NO_VALUE}
ONLY_SIGNS = set("0 !\"#&'()*+,-./:;<=>?@[\\]^_`{|}~")
ABOUT = (
    "Examples of mauwatch's normalisation v1 (unicode). normalised: null for nobody. key: the first 16 characters of the "
    "lower-case hex HMAC-SHA256 of namespace, the byte 1F and the normalised identifier in UTF-8, under the 64 characters of "
    "`test_key` as they are. region: where a telephone number without country code is taken to be from. The ascii profile "
    "takes the vectors alone whose input is ASCII."
)
Row = tuple[str, str | None, str]

COMMON: list[Row] = [
    ("", None, "empty"),
    (" \t\r\n\x0b\x0c ", None, "ASCII white space alone"),
    ("NULL", None, "a placeholder, in any case"),
    (" n/A ", None, "a placeholder between spaces"),
    ("None", None, "a placeholder"),
    ("(Not Set)", None, "a placeholder"),
    ("unKNOWN\n", None, "a placeholder"),
    ("Undefined", None, "a placeholder"),
    ("anonymous", None, "a placeholder"),
    ("NaN", None, "a placeholder"),
    ("nil", None, "a placeholder"),
    ("NA", None, "a placeholder"),
    ("0", None, "a placeholder"),
    ("-1", None, "a placeholder"),
    ("-", None, "a placeholder"),
    ("?", None, "a placeholder"),
    ("00000000-0000-0000-0000-000000000000", None, "an advertising id that was switched off"),
    ("\\N", None, "null as MySQL, Hive and Snowflake write it"),
    ("\\\\N", None, "the same, escaped twice"),
    ("(null)", None, "null of Oracle's and Microsoft's tools"),
    ("<NA>", None, "null of pandas"),
    ("NaT", None, "a missing time of pandas"),
    ("#N/A", None, "a missing value of Excel"),
    ("[object Object]", None, "what JavaScript makes of an object"),
    ("''", None, "quotation marks with nothing in them"),
    ("--", None, "signs alone"),
    ("000000000000000", None, "zeros alone"),
    ("{00000000-0000-0000-0000-000000000000}", None, "zeros and signs alone"),
    ("0.0", None, "zero as a floating-point column writes it"),
    ("D41D8CD98F00B204E9800998ECF8427E", None, "MD5 of nothing"),
    ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", None, "SHA-256 of nothing"),
    ("un\u212anown", None, "U+212A KELVIN SIGN is K in NFC"),
]

EMAILS: list[tuple[str, str]] = [
    ("user@example.com", "as it is"),
    (" User@Example.com ", "spaces and capitals"),
    ("\t\r\n\x0b\x0cuser@example.com\x0c", "all six white spaces of ASCII"),
    ("USER@SUB.EXAMPLE.ORG", "the domain in capitals"),
    ("user @example.com", "white space inside stays"),
    ("us\ner@example.com", "a line's end inside stays"),
    ("\u00a0user@example.com", "a no-break space isn't stripped"),
    ("user@example.com\u2003", "an em space isn't stripped"),
    ("user@example.com\u3000", "an ideographic space isn't stripped"),
    ("\ufeffuser@example.com", "a byte order mark isn't stripped"),
    ("\u200fuser@example.com", "a right-to-left mark stays"),
    ("us\u200ber@example.com", "a zero-width space stays"),
    ("user\u0000@example.com", "NUL stays; an engine whose texts can't hold it reports the row"),
    ("\u0000", "NUL alone isn't empty"),
    ("user\u0001\u007f@example.com", "control characters stay"),
    ("\u001cuser@example.com\u001f", "U+001C to U+001F are no white space here, though Python strips them"),
    ("\u0085user@example.com", "U+0085 is no white space of ASCII"),
    ("a.b+tag@example.org", "dots and tags elsewhere than at gmail stay"),
    ("a.b@gmail.com", "gmail: dots dropped"),
    ("A.B+Tag@GMAIL.COM", "gmail: in capitals, tag dropped"),
    ("Jane.Saoirse+Work@googlemail.com", "googlemail.com is gmail.com"),
    ("a+b+c@gmail.com", "gmail: from the first plus sign on"),
    ("...a...b...@gmail.com", "gmail: all dots"),
    ("+tag@gmail.com", "gmail: nothing before the tag"),
    ("@gmail.com", "gmail: nothing before the @"),
    (". a@gmail.com", "gmail: white space that comes first once dots are gone"),
    ("a +tag@gmail.com", "gmail: white space inside stays"),
    ("a\nb+c\nd@gmail.com", "gmail: line ends in name and tag"),
    ("a+x@y@gmail.com", "gmail: several @, the tag holds one"),
    ("a.b@example.org@gmail.com", "gmail: several @, the last one counts"),
    ("a.b+c@gmail.com.example.org", "another domain that begins as gmail's"),
    ("a.b+c.gmail.com", "without an @ it is none of gmail's"),
    ("a.b+c@gmail.com@example.org", "with another @ behind, neither"),
    ("a.b@gmail.com.", "with a dot at the end it is another"),
    ('"a.b+c"@gmail.com', "gmail: quotation marks are characters like others"),
    ('"A B"@example.com', "a quoted local part"),
    ('"a@b"@example.com', "a quoted @"),
    ("a@b@example.com", "several @"),
    ("no address", "what is no address is an identifier all the same"),
    ("e.\u0301@gmail.com", "gmail: NFC comes after the dots are dropped"),
    ("\u00c9.a+b@gmail.com", "gmail: outside ASCII"),
    ("a@GMA\u0130L.COM", "a dotted capital I is no i: not gmail"),
    ("a.b@GMAIL\uff0ecom", "a full-width dot is no dot: not gmail"),
    ("caf\u00e9@example.org", "Latin, composed"),
    ("cafe\u0301@example.org", "Latin, with a combining accent"),
    ("CAFE\u0301@EXAMPLE.ORG", "Latin capitals, with a combining accent"),
    ("CAF\u00c9@example.org", "Latin capitals, composed"),
    ("a\u0323\u0307@example.org", "two combining marks in canonical order"),
    ("a\u0307\u0323@example.org", "two combining marks in the other order"),
    ("J\u030c@example.org", "composed only in lower case: U+01F0"),
    ("\u212bngstr\u00f6m@example.org", "U+212B ANGSTROM SIGN"),
    ("\u2126@example.org", "U+2126 OHM SIGN"),
    ("\u1e9e@example.org", "the capital sharp s has a small one"),
    ("stra\u00dfe@example.org", "the small sharp s stays"),
    ("STRASSE@example.org", "and isn't ss"),
    ("\u01c5@example.org", "a title-case digraph"),
    ("\ufb01n@example.org", "a ligature stays: NFC, not NFKC"),
    ("\u0130lker@example.org", "dotted capital I becomes i and U+0307"),
    ("I\u0307lker@example.org", "and so does its NFD"),
    ("ilker@example.org", "which isn't i"),
    ("ILKER@example.org", "a capital I is i, never dotless"),
    ("\u0131lker@example.org", "dotless i stays"),
    ("\u039d\u0399\u039a\u039f\u03a3@example.org", "Greek capitals, sigma at the word's end"),
    ("\u03bd\u03b9\u03ba\u03bf\u03c2@example.org", "Greek, with a final sigma"),
    ("\u03bd\u03b9\u03ba\u03bf\u03c3@example.org", "Greek, with a sigma that isn't final"),
    ("\u03a3\u03a3.\u03a3@example.org", "sigmas before a dot and alone"),
    ("\u03a3", "a sigma by itself"),
    ("\u0391\u03a3\u00ad@example.org", "a sigma before a soft hyphen"),
    ("\u00ad\u03a3@example.org", "a sigma behind a soft hyphen"),
    ("\u1f88@example.org", "Greek with three marks"),
    ("\u0391\u0345@example.org", "Greek with a combining iota"),
    ("\u0414\u041c\u0418\u0422\u0420\u0418\u0419@example.org", "Cyrillic capitals"),
    ("\u0418\u0306@example.org", "Cyrillic with a combining breve"),
    ("\u0540\u0561\u0575@example.org", "Armenian"),
    ("\u10a0@example.org", "Georgian, an old capital"),
    ("\u1c90@example.org", "Georgian, a capital of Unicode 11"),
    ("\u13a0@example.org", "Cherokee, a capital: small ones are of Unicode 8"),
    ("\u05d3\u05d5\u05d0\u05e8@example.org", "Hebrew"),
    ("\u0645\u062b\u0627\u0644@example.org", "Arabic"),
    ("\u0627\u0653@example.org", "Arabic with a combining madda"),
    ("\u0915\u094d\u0937@example.org", "Devanagari, a conjunct"),
    ("\u0958@example.org", "Devanagari that NFC takes apart"),
    ("\u0915\u093c@example.org", "and what it takes it apart to"),
    ("\ud55c\uae00@example.org", "Hangul syllables"),
    ("\u1112\u1161\u11ab\u1100\u1173\u11af@example.org", "Hangul jamo, the same"),
    ("\uff76\uff9e@example.org", "half-width katakana stay: NFC, not NFKC"),
    ("\u304b\u3099@example.org", "hiragana with a combining mark"),
    ("\uf900@example.org", "a CJK compatibility ideograph"),
    ("\u8c48@example.org", "and the one it stands for"),
    ("\U0002f800@example.org", "a CJK compatibility ideograph beyond 16 bits"),
    ("user\uff20example.com", "a full-width @ is no @"),
    ("\uff35\uff33\uff25\uff32@example.com", "full-width capitals have small ones"),
    ("\U00010400@example.org", "Deseret, a capital beyond 16 bits"),
    ("\U0001f468\u200d\U0001f469\u200d\U0001f467@example.org", "an emoji of three, joined by ZWJ"),
    ("\U0001f44d\U0001f3fd@example.org", "an emoji with a skin tone"),
    ("\u2764\ufe0f@example.org", "an emoji with a variation selector"),
    ("user@b\u00dccher.example.org", "a domain outside ASCII, in capitals"),
]

DEVICES: list[tuple[str, str]] = [
    ("AbC-123", "capitals stay"),
    (" AbC-123\t", "white space at both ends doesn't"),
    ("0012", "leading zeros stay"),
    ("00", "zeros alone name nobody"),
    ("0a", "no zeros alone"),
    ("6F9619FF-8B86-D011-B42D-00CF4FC964FF", "an advertising id, in capitals"),
    ("6f9619ff-8b86-d011-b42d-00cf4fc964ff", "and in small letters: another"),
    ("a.b+c@gmail.com", "an address in another namespace is opaque"),
    ("e\u0301", "with a combining accent"),
    ("\u00e9", "composed, the same"),
    ("\u00c9", "in capitals: another"),
    ("\u03a3\u03c2", "sigmas stay"),
    ("\u0130", "dotted capital I stays"),
    ("\uff11\uff12", "full-width digits stay"),
    ("\u1112\u1161\u11ab", "Hangul jamo"),
    ("\uf900", "a CJK compatibility ideograph"),
    ("\U0001f468\u200d\U0001f469\u200d\U0001f467", "an emoji of three, joined by ZWJ"),
    ("\u200f4711", "a right-to-left mark stays"),
    ("\u00a04711\u00a0", "no-break spaces stay"),
    ("47\u000011", "NUL stays"),
    ("\u001b[0m", "control characters stay"),
    ("two words", "white space inside stays"),
    ("'; drop table users; --", "signs are signs"),
    ("x" * 300, "300 characters"),
]

PHONES: list[tuple[str, str | None, str | None, str]] = [
    ("+12345678901", None, "+12345678901", "E.164 as it is"),
    ("+1 (234) 567-8901", None, "+12345678901", "signs and spaces"),
    ("  +1 234 567 8901\t", "DE", "+12345678901", "a country code goes before the region"),
    ("(234) 567-8901", "US", "+12345678901", "without country code, by region"),
    ("1-234-567-8901", "US", "+12345678901", "with the national prefix"),
    ("011 49 30 901820", "US", "+4930901820", "with the region's prefix for abroad"),
    ("030 901820", "DE", "+4930901820", "the national prefix 0 is dropped"),
    ("+49 (0)30 901820", None, "+4930901820", "also between brackets"),
    ("0049 30 901820", "DE", "+4930901820", "with 00"),
    ("02 1234 5678", "IT", "+390212345678", "in Italy the 0 is part of the number"),
    ("+39 02 1234 5678", None, "+390212345678", "also with a country code"),
    ("tel:+49-30-901820", None, "+4930901820", "as a tel: URI"),
    ("+49 30 901820 ext. 12", None, "+4930901820", "an extension isn't part of E.164"),
    ("\u0660\u0663\u0660 \u0669\u0660\u0661\u0668\u0662\u0660", "DE", "+4930901820", "Arabic-Indic digits"),
    ("+\u06f4\u06f9 \u06f3\u06f0 \u06f9\u06f0\u06f1\u06f8\u06f2\u06f0", None, "+4930901820", "Persian digits"),
    ("\u0966\u0969\u0966 \u096f\u0966\u0967\u096e\u0968\u0966", "DE", "+4930901820", "Devanagari digits"),
    ("\uff0b\uff14\uff19 \uff13\uff10 \uff19\uff10\uff11\uff18\uff12\uff10", None, "+4930901820", "full-width plus and digits"),
    ("\u200f+49 30 901820", None, "+4930901820", "a right-to-left mark before it"),
    ("\u00a0+49\u00a030\u00a0901820", None, "+4930901820", "no-break spaces"),
    ("+49\u201030\u2010901820", None, "+4930901820", "typographic hyphens"),
    ("+49 30 901\u200b820", None, "+4930901820", "a zero-width space inside"),
    ("030 901820", None, None, "no country code and no region: nobody"),
    ("no number", "DE", None, "no number: nobody"),
    ("+49", None, None, "a country code alone: nobody"),
    ("+999 12345678", None, None, "no country's code: nobody"),
    ("12", "US", None, "too short: nobody"),
    ("+1 234 567 8901 234 567 8901", None, None, "too long: nobody"),
    ("user@example.com", "US", None, "an address: nobody"),
]


def normalised(identifier: str, namespace: str) -> str | None:
    """Normalisation v1 of an address or an opaque identifier; null is nobody."""
    text = identifier.strip(WHITE)
    if namespace == "email":
        text = "".join("\u03c3" if c in "\u03a3\u03c2" else c.lower() for c in text)
        for domain in ("@gmail.com", "@googlemail.com"):
            if text.endswith(domain):
                text = text[: -len(domain)].split("+")[0].replace(".", "").lstrip(WHITE) + "@gmail.com"
                break
    text = unicodedata.normalize("NFC", text)
    return None if text.lower() in NOBODY or set(text) <= ONLY_SIGNS else text


def key_of(namespace: str, said: str | None) -> str | None:
    if said is None:
        return None
    return hmac.new(TEST_KEY.encode(), f"{namespace}\x1f{said}".encode(), hashlib.sha256).hexdigest()[:16]


def _rows() -> Iterator[tuple[str, str, str | None, str | None, str]]:
    for namespace, some in (("email", EMAILS), ("device", DEVICES)):
        for text, why in some:
            yield namespace, text, None, normalised(text, namespace), why
        for text, said, why in COMMON:
            yield namespace, text, None, said, why
    for text, region, said, why in PHONES:
        yield "phone", text, region, said, why
    for text, said, why in COMMON:
        yield "phone", text, None, said, why


def document() -> str:
    """The published file: ASCII, a vector a line."""
    vectors = [
        json.dumps({"namespace": n, "input": t, "region": r, "normalised": s, "why": w, "key": key_of(n, s)})
        for n, t, r, s, w in _rows()
    ]
    head = json.dumps({"normalisation": "v1 unicode", "test_key": TEST_KEY, "about": ABOUT}, indent=1)[:-2]
    return head + ',\n "vectors": [\n  ' + ",\n  ".join(vectors) + "\n ]\n}\n"


if __name__ == "__main__":
    FILE.write_text(document(), encoding="ascii")
