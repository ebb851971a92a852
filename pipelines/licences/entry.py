"""What an entry of the registry says: typed, and closed, so that a word that nobody knows is an error. Pure.

Facts in our own words. Each entry has its sources, how they were read (`evidence`), when somebody looked at them last and when
somebody has to look again. No legal advice.

Over 300 lines: one model for each thing that a text may ask.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from affiliates.manifests.base import Day, FlagOrText, ManyLines, Model, Month, Name, Text
from affiliates.periods import month_before

Evidence = Literal[
    "primary_text",  # the licence's text, in the licensor's repository
    "primary_readme_only",  # the licensor's README; the text wasn't read
    "third_party_transcription",  # a copy of the text by somebody else
    "third_party_copy_of_official_text",  # a copy of a law's text
    "secondary",  # described by somebody else; the text wasn't read
]
Kind = Literal["model_licence", "software_licence", "closed_service", "regulation"]
Metric = Literal[
    "monthly_active_users",
    "daily_active_users",
    "monthly_active_end_users_in_EU",
    "yearly_active_business_users_in_EU",
    "average_monthly_active_recipients_in_EU",
    "annual_revenue",
    "annual_gross_revenue",
    "annual_recurring_revenue",
    "prior_tax_year_revenue",
    "monthly_revenue",
    "global_consolidated_monthly_revenue",
    "revenue_12_months",
    "revenue_any_12_months",
    "gmv",
    "business_type",
    "commercial_use",
    "competing_product",
    "software_or_cloud_provider",
]
Measured = Literal["month_before_release", "month_before_use", "any_month", "any_day", "average_of_six_months"]
Scope = Literal["all", "each", "using"]
"""Of products: all together, each by itself, or those that use the model, each by itself."""

# Metrics of revenue or business have no row: a clause of theirs says in `needs` why it isn't tested.
TESTED: Mapping[str, tuple[Measured, ...]] = {
    "monthly_active_users": ("month_before_release", "month_before_use", "any_month", "average_of_six_months"),
    "daily_active_users": ("any_day",),
}
"""By metric, the rules by which a clause can be tested here."""

_Partial = Annotated[str, Field(pattern=r"^\d{4}(-\d\d){0,2}$")]


class VersionDate(Model):
    """When a version came out, as far as its text says."""

    date: _Partial | None
    """The day, month or year."""
    label_in_text: str | None = None
    """What the text calls the day."""
    note: str | None = None
    """How the day is known where the text names none."""


class Exemption(Model):
    """Whom a text leaves out."""

    section: str
    """Where the exemption stands in the text."""
    what: Text
    """Whom or what the text leaves out."""
    integrated_end_user_product: bool = False
    """Whether the text leaves out who has the model inside a licensee's integrated end-user product."""


class Clause(Model):
    """What a text asks of users, revenue or use."""

    id: Name
    """A short name, once in the entry."""
    inherits: str | None = None
    """The entry and clause (`llama-2#mau`) whose keys hold here where this clause doesn't name them."""
    section: str | None = None
    """Where the clause stands in a licence."""
    article: str | None = None
    """Where the clause stands in a regulation."""
    metric: Metric | None = None
    """What is counted."""
    threshold: Annotated[int, Field(gt=0)] | None = None
    """The number in the clause."""
    comparator: Literal["gt", "gte", "gte_or_gt_unverified"] | None = None
    """gt: only more than the threshold is over; gte: the threshold itself is over, too."""
    unit: str | None = None
    """The unit of the threshold, such as users or USD."""
    whose: tuple[
        Literal["licensee", "licensee_affiliates", "licensee_company_consolidated", "employer", "legal_entity_group"], ...
    ] = ()
    """Whose users or revenue count."""
    affiliate_defined: bool | None = None
    """Whether the text defines an affiliate."""
    affiliate_definition: str | None = None
    """How the text defines an affiliate."""
    aggregated: FlagOrText | None = None
    """Whether the numbers of all whose users count are added up."""
    products_in_scope: str | None = None
    """Which products count, in words."""
    scope: Scope = "all"
    """Of products: all together, each by itself, or those that use the model, each by itself."""
    region: str | None = None
    """Where the users are; without a region, everywhere."""
    per: str | None = None
    """What is counted one by one, such as a service."""
    period: str | None = None
    """The period in words, where it isn't a month."""
    rule: str | None = None
    """A condition that no single number decides."""
    metric_defined: bool | None = None
    """Whether the text defines what is counted."""
    uniqueness_stated: bool | None = None
    """Whether the text says that each person counts once."""
    undefined: tuple[str, ...] = ()
    """Words that the text leaves open."""
    test: Literal["snapshot", "continuous", "continuous_implied"] | None = None
    """Whether the clause is tested once, or again and again."""
    test_date: Day | None = None
    """The day on which the clause is tested once."""
    measured: Measured | None = None
    """The rule by which the clause is tested here."""
    measured_period: Month | None = None
    """The month that is tested, as a check of `test_date`."""
    measured_period_rule: str | None = None
    """Which month or year is measured, in words."""
    alternative_measured_period_if_own_date: Month | None = None
    """The month, if a later model of the family counts by a day of its own."""
    tested_again_later_in_text: bool | None = None
    """Whether the text tests again later."""
    effect_over: str | None = None
    """What holds over the threshold."""
    exemptions: tuple[Exemption, ...] = ()
    """Whom the clause leaves out."""
    internal_use_exempt: bool | None = None
    """Whether use inside the company is left out."""
    commercial_use_only: bool | None = None
    """Whether only commercial use counts."""
    words: Annotated[Text | None, ManyLines()] = None
    """The clause's own words, where the text may be quoted; never inherited, for each version names itself."""
    wording_fingerprint: str | None = None
    """Digest of the clause's words, to find texts with the same ones."""
    needs: str | None = None
    """Why the clause isn't tested, and what a test would need."""

    @model_validator(mode="after")
    def _tested_or_not(self) -> Self:
        """A clause that is tested has all that a test needs: a slip in the registry would else leave the clause untested."""
        if self.needs is not None:
            return self
        if self.measured is None or self.measured not in TESTED.get(self.metric or "", ()):
            raise ValueError(
                "is tested neither by its `metric` nor by what is `measured`: say in `needs` why, and what it would need"
            )
        if self.threshold is None or self.comparator not in ("gt", "gte"):
            raise ValueError("needs a `threshold` and a `comparator`, gt or gte")
        if (self.measured == "month_before_release") != (self.test_date is not None):
            raise ValueError("has a `test_date` just where the month before the release is `measured`")
        if self.measured_period and self.measured_period != self.tested_month:
            raise ValueError(f"`measured_period` isn't the month before {self.test_date}")
        return self

    @property
    def counts_users(self) -> bool:
        """Whether the clause asks of users, and not of revenue or business."""
        return self.unit == "users" or (self.metric is not None and "_active_" in self.metric)

    @property
    def tested(self) -> bool:
        """Whether the clause is tested here."""
        return self.needs is None

    @property
    def by_one_month(self) -> bool:
        """Whether one month's users decide the clause, wherever they are: those are published, and alerts can watch them."""
        return self.tested and self.region is None and self.measured in ("month_before_release", "month_before_use", "any_month")

    @property
    def with_affiliates(self) -> bool:
        """Whether the users of the licensee's affiliates count beside the licensee's own."""
        return "licensee_affiliates" in self.whose

    @property
    def group_snapshot(self) -> bool:
        """Whether the clause is tested once, at a release, for all of a group's products together."""
        return self.tested and self.measured == "month_before_release" and self.with_affiliates and self.scope == "all"

    @property
    def tested_month(self) -> date | None:
        """First day of the month that the release date tests; null where the clause is tested month by month."""
        return month_before(self.test_date) if self.test_date else None

    @property
    def whose_users(self) -> str:
        """Whose users count, in words."""
        return "licensee and its affiliates" if self.with_affiliates else "licensee"


class LicenceEntry(Model):
    """A version's licence, or a regulation."""

    id: Name
    """The entry's short name, such as llama-4."""
    name: Text
    """The title of the text."""
    licensor: Text
    """Who grants the licence, or made the law."""
    family: str | None = None
    """The family that the version is of: a newer version of the family tests anew."""
    kind: Kind
    """What the text is."""
    evidence: Evidence
    """How the text was read."""
    sources: Annotated[tuple[Text, ...], Field(min_length=1)]
    """Where the text stands."""
    reviewed: Day
    """The day on which somebody last looked at the text."""
    review_by: Day
    """The day by which somebody has to look again."""
    version_date: VersionDate
    """When the version came out."""
    clauses: tuple[Clause, ...] = ()
    """What the text asks of users, revenue or use."""
    inherits: str | None = None
    """The entry whose terms hold here where this entry doesn't name them."""
    requests_to: Text | None = None
    """Where a licence is asked for, where the text or the licensor names a place: an e-mail address, or a page."""
    ids: Mapping[str, str | None] = {}
    """The names that others give the text, such as SPDX or ScanCode."""
    celex: str | None = None
    """The number of a regulation of the EU."""
    text: str | None = None
    """Digest of the text that was read (`git-blob:` or `sha256:`), to compare with what was accepted."""
    licence: str | None = None
    """The name of the general licence that the model has."""
    weights: str | None = None
    """Whether the model's weights can be had."""
    user_threshold: Annotated[int, Field(gt=0)] | None = None
    """A number of users named elsewhere than in a clause."""
    purpose_limit: str | None = None
    """The purposes that the text allows."""
    geographic_limits: str | Mapping[str, str] | None = None
    """Where the licence holds."""
    attribution: Mapping[str, FlagOrText | None] = {}
    """What has to be named, and where."""
    output_training: Mapping[str, FlagOrText] = {}
    """Whether outputs may train other models."""
    termination: Mapping[str, str] = {}
    """When the licence ends."""
    transferable: bool | None = None
    """Whether the licence passes on to a buyer."""
    governing_law: str | None = None
    """Whose law holds."""
    exemptions: tuple[Exemption, ...] = ()
    """Whom the text leaves out."""
    history: tuple[Text, ...] = ()
    """Earlier versions of the text, in words."""
    group_rule: str | None = None
    """How the text draws a corporate group."""
    effect_over: str | None = None
    """What holds over a threshold."""
    anti_circumvention: str | None = None
    """What the text says of avoiding the threshold."""
    adjust: str | None = None
    """How the threshold changes by itself."""
    methodology: Mapping[str, str] = {}
    """How the text wants users to be counted, by topic."""
    notes: tuple[str, ...] = ()
    """What else is known."""
    note_conflict: str | None = None
    """Where sources contradict each other."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        """Clauses have different ids, and the next review lies after the last."""
        if len({clause.id for clause in self.clauses}) != len(self.clauses):
            raise ValueError("two of its clauses have one id")
        if self.review_by < self.reviewed:
            raise ValueError(f"`review_by` {self.review_by} lies before `reviewed` {self.reviewed}")
        return self

    @property
    def watchable(self) -> bool:
        """Whether alerts can watch a clause of the entry."""
        return any(clause.by_one_month for clause in self.clauses)

    @property
    def digest(self) -> str:
        """SHA-256 in hex of all that the entry says, whatever the order of its keys."""
        # Without defaults, so that a key that is added to the model later changes no older entry's digest.
        text = json.dumps(self.model_dump(mode="json", by_alias=True, exclude_defaults=True), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def released(self) -> date | None:
        """The day on which the version came out; null where only its month or year is known."""
        text = self.version_date.date
        return date.fromisoformat(text) if text and len(text) == len("2024-07-23") else None


class Interpretation(Model):
    """A point that a text leaves open, and who reads the point how."""

    point: Text
    """What is open."""
    family: str
    """The family whose texts leave the point open."""
    textual: str | None = None
    """What the words alone say of the point."""
    reading: str | None = None
    """How the point is read here."""
    readings: Mapping[str, tuple[Text, ...]] = {}
    """By reading, who reads the point so."""
    vendor_answer: str | None = None
    """What the licensor has answered."""
    undecided: FlagOrText = False
    """Whether nobody has decided the point, or why."""
