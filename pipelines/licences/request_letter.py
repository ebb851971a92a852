"""A draft of the letter that asks a licensor for a licence. Pure: facts in, text out; counsel decides what of it is sent."""

import textwrap
from collections.abc import Iterator

from affiliates.manifests.group import Group
from affiliates.manifests.product import ProductRef
from pipelines.licences.adoption import AdoptionCheck
from pipelines.licences.clearance import deciding_readings
from pipelines.licences.entry import LicenceEntry
from pipelines.licences.outcome import ClauseFinding, ReadingResult

_WIDTH = 100


def draft(check: AdoptionCheck, entry: LicenceEntry, group: Group) -> str:
    """The letter for an adoption check, with square brackets where a person has to fill in, or to leave out."""
    ref = ProductRef.parse(check.product)
    finding = next((f for f in check.findings if not f.needs and not f.is_of_host), None)
    clause = next((c for c in entry.clauses if finding and c.id == finding.clause), None)
    section = f"section {clause.section}" if clause and clause.section else "the clause on users"
    name = group.settings.name or group.settings.group
    licensee = _name(group, finding.licensee if finding else group.settings.ultimate_parent)
    paragraphs = [
        "DRAFT, not sent. Counsel decides whether it is sent, and what of it. Square brackets are to be filled in or left out.",
        f"[Place], {check.on:%d %B %Y}",
        f"To: {entry.licensor}",
        f"Address: {entry.requests_to or '[the licence names none: see the site of the licensor]'}",
        f"From: {licensee}, for itself and its affiliates ({name})",
        f"Request for a licence under {section} of the {entry.name}",
        "Dear Sir or Madam,",
        _purpose(group, ref, entry, check),
        *(_quotation(section, clause.words) if clause and clause.words else ()),
        *(_figures(group, finding, check) if finding else ()),
        f"We ask you to grant {licensee} and its affiliates, or {_name(group, ref.affiliate)} for {ref} alone, the rights under "
        f"the {entry.name}, from [day] on. If you count users in another way than the licence's text says, or cap them, please "
        "tell us how.",
        "Please answer by [day]. Until we have your answer we don't take the rights for granted. This letter is no admission "
        "that the threshold was passed.",
        "Yours faithfully,",
        "[Name, office, signature]",
        f"Enclosed: [evidence.pdf, by `mauwatch evidence {entry.id} -o evidence`]",
    ]
    return "\n\n".join(textwrap.fill(paragraph, _WIDTH) for paragraph in paragraphs) + "\n"


def _name(group: Group, entity: str) -> str:
    """An entity's full name, or its short one where it has no other."""
    known = group.entities.get(entity)
    return (known.name if known else "") or entity


def _purpose(group: Group, ref: ProductRef, entry: LicenceEntry, check: AdoptionCheck) -> str:
    """What the product does with the version, as its manifest says."""
    product = group.products[ref]
    uses = [use for use in product.models if use.model == entry.id and (use.to is None or use.to > check.on)]
    what = f"{_name(group, ref.affiliate)}, of our group,"
    name = f"{product.name or ref.product} ({ref})"
    if not uses:
        return f"{what} intends to use {entry.id} in its product {name} from [day] on, hosted by [whom]."
    use = min(uses, key=lambda use: use.from_)
    verb = "uses" if use.from_ <= check.on else "intends to use"
    hosted = use.host or ("itself" if use.hosted_by == "self" else use.hosted_by.replace("_", " "))
    return f"{what} {verb} {entry.id} in its product {name}, from {use.from_:%d %B %Y} on, hosted by {hosted}."


def _quotation(section: str, words: str) -> Iterator[str]:
    """The clause's words."""
    yield f"{section[:1].upper()}{section[1:]} says: “{words}”"


def _figures(group: Group, finding: ClauseFinding, check: AdoptionCheck) -> Iterator[str]:
    """The figures by the readings that decide; counsel may leave the paragraph out."""
    deciding = deciding_readings(group, check.on)
    for name, outcome in finding.readings.items():
        if name in deciding and finding.month and finding.threshold is not None:
            yield (
                f"[Counsel: leave out if figures aren't to be told.] For {finding.month:%B %Y}, by our reading “{name}”, "
                f"{_people(outcome)}. The clause names {finding.threshold:,}."
            )


def _people(outcome: ReadingResult) -> str:
    """A result's bounds as a part of a sentence."""
    if outcome.lower is None:
        return "the number of users isn't known"
    upper = "no upper bound can be given yet" if outcome.upper is None else f"at most {outcome.upper:,}"
    return f"we count at least {outcome.lower:,} monthly active users, and {upper}"
