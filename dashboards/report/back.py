"""The back of the page of evidence: method, words, how to check it, and where to sign."""

from dashboards.report.glossary import WORDS
from dashboards.report.sheets import Sheets
from dashboards.report.wording import Content, group_name, month_name
from pipelines.evidence.method_text import method_text


def method(sheets: Sheets, files: Content) -> None:
    """How the figures are counted, by the version of counting that has made them."""
    version = files["figures"]["published"][0]["publication"]["method"]
    sheets.heading("Method, in words")
    for paragraph in method_text(version).strip().split("\n\n"):
        sheets.text_line(" ".join(paragraph.split()))
        sheets.ln(0.8)


def glossary(sheets: Sheets) -> None:
    """What the words of this document mean."""
    sheets.heading("The words of this document")
    sheets.pairs(WORDS, 40)


def digests(sheets: Sheets, files: Content) -> None:
    """How to check the document, and the digests of what it rests on."""
    sheets.heading("How to check this document")
    about = files["about"]
    head = about["ledger_head"]
    sheets.text_line(
        "A file outside.zip, expert.zip or privileged.zip belongs to this document and holds all that it says, as data. Whoever "
        "has the file can check each byte of it by a free program: pip install mauwatch, then: mauwatch verify FILE. That "
        "needs no key and no access to the group. These digests are of what the figures rest on:"
    )
    lines = [f"licence entry  {files['licence']['digest']}"]
    lines += [f"inputs of {f['publication']['reading']}  {f['publication']['inputs']}" for f in files["figures"]["published"]]
    lines += [f"figures of {f['publication']['reading']}  {f['content']}" for f in files["figures"]["published"]]
    if head:
        lines.append(f"ledger, entry {head['number']}  {head['digest']}")
    lines.append(f"signing key  {about['public_key'] or 'none: the file is not signed'}")
    for line in lines:
        sheets.text_line(line, mono=True)


def signatures(sheets: Sheets, files: Content) -> None:
    """Where people sign the paper."""
    sheets.heading("Signatures")
    name = group_name(files["group"])
    sheets.text_line(
        f"Signed for {name}: that this document is what the program has found for {month_name(files['about']['month'])}, "
        "of what the affiliates have handed in and attested."
    )
    sheets.signature_block([f"For {name}", f"Counsel of {name}"])
