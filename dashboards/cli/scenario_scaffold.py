"""What `mauwatch whatif new` writes: a scenario for the group at hand that runs as it is and explains itself. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from affiliates.manifests.product import ProductRef
from affiliates.periods import DAY, add_months, month_end

_SCENARIO = """\
# A what-if scenario for {group}. It runs as it is: mauwatch whatif FILE.yaml --group DIR
# A deal is a secret: keep this file out of the group directory and out of git, and choose a file's name that says nothing.
scenario: example-deal         # its short name, for `mauwatch whatif show`; once run, it stands for this scenario alone
title: Buying Example Social   # what the answer calls it; without one, by the targets' names
{month_line}# where it starts: the newest published month
{reading_line}
horizon: 12                    # months ahead, 1 to 60
{releases_line}# days on which a next version may come out: the month before each is tested
# threshold: 700_000_000       # another line than the licences'; or a clause of the registry: `clause: llama-4`
# note: what else there is to say
changes:                       # in any order: their days decide which comes first
  - acquire: Example Social    # a company, by a number that somebody states
    on: {closing}             # or {{from: {closing}, to: {closing_end}}}: each day equally likely
    users: {{low: {low}, likely: {likely}, high: {high}, unit: people, month: {month}}}
    # Accounts, devices, households, subscriptions, SIMs, weekly_users and daily_users aren't people. They need:
    # people_per_unit: {{low: 0.6, high: 0.9, source: a panel, as_of: {as_of}}}
    growth: {{low: 0 %, high: 2 %}}   # a month; without it, the number stays
    overlap: {{of: target, low: 20 %, high: 60 %}}   # how many of them the group has already. Or one of:
    # overlap: {{of: group, low: 1 %, high: 2 %}}
    # overlap: {{independent_in: {population}}}   # by chance, in a population of so many people
    # overlap: unknown
    source: made up, to be replaced   # who says so; what has no source is named in the answer
    as_of: {as_of}
    # models: [{{licence: llama-4, from: {month}-01}}]   # the AI models that the target uses

# More changes: take the `#` away from a change's lines.
#  - acquire: Example Chat     # by its contribution for {month} under the group's key: the overlap is measured
#    on: {closing}
#    contribution: example-chat.parquet   # beside this file
#  - launch: New app
#    on: {closing}
#    users: {{likely: {likely}, unit: people, month: {month}}}
#    overlap: unknown
{own}"""

_OWN = """\
#  - divest: {affiliate}
#    on: {later}
#  - retire: {product}
#    on: {later}
#  - grow: {affiliate}   # or a product, or `group`
#    on: {closing}
#    by: {{low: 0 %, high: 1 %}}   # a month, beside what the published months let expect
#  - exclude: {product}   # or an audience: {{audience: internal}}
"""

_OWNED = """\
#  - ownership: {{entity: {affiliate}, owner: {owner}, share: 30 %}}
#    on: {later}
"""
_COMMENT = 31
"""The column in which most comments begin."""


@dataclass(frozen=True)
class Facts:
    """What a scenario for a group is written from."""

    group: str
    """The group's name."""
    month: date
    """The newest published month, by its first day."""
    people: int
    """The group's people in that month."""
    reading: str
    """The reading by which that month was published."""
    other_readings: Sequence[str]
    """Further readings of readings.yaml."""
    products: Sequence[ProductRef]
    """The products that count in that month."""
    holder: tuple[str, str] | None
    """An affiliate and who owns a share of it; null where control rests on no share."""


def scenario(facts: Facts) -> str:
    """The scenario's file: a made-up target of a tenth of the group, and the group's own changes to choose from."""
    closing = add_months(facts.month, 3)
    others = f"# readings.yaml also has {', '.join(facts.other_readings)}" if facts.other_readings else ""
    values = {
        "group": facts.group,
        "month": f"{facts.month:%Y-%m}",
        "month_line": f"month: {facts.month:%Y-%m}".ljust(_COMMENT),
        "reading_line": f"{f'reading: {facts.reading} '.ljust(_COMMENT)}{others}".rstrip(),
        "releases_line": f"releases: [{add_months(facts.month, 7)}] ".ljust(_COMMENT),
        "closing": closing,
        "closing_end": month_end(add_months(closing, 2)),
        "later": add_months(facts.month, 6) - DAY,
        "as_of": month_end(facts.month),
        "likely": _digits(facts.people // 10),
        "low": _digits(facts.people * 9 // 100),
        "high": _digits(facts.people * 11 // 100),
        "population": _digits(2 * facts.people + 10),
    }
    return _SCENARIO.format(**values, own=_own(facts, values))


def _own(facts: Facts, values: dict[str, object]) -> str:
    if not facts.products:
        return ""
    text = _OWN.format(**values, affiliate=facts.products[0].affiliate, product=facts.products[0])
    if facts.holder:
        text += _OWNED.format(**values, affiliate=facts.holder[0], owner=facts.holder[1])
    return text


def _digits(people: int) -> str:
    """A number of at least one with two digits that mean anything, as a scenario's file writes it."""
    rounded = int(float(f"{max(people, 1):.2g}"))
    return f"{rounded:,}".replace(",", "_")
