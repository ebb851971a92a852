"""What an entry of the registry says: typed, and closed, so that a word that nobody knows is an error. Pure.

Facts in our own words, each entry with its sources, how they were read (`evidence`), when they were looked at last and when
they are due again. No legal advice.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from affiliates.model import Model, Month, Name, Text
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
    "monthly_active_users", "daily_active_users",
    "monthly_active_end_users_in_EU", "yearly_active_business_users_in_EU", "average_monthly_active_recipients_in_EU",
    "annual_revenue", "annual_gross_revenue", "annual_recurring_revenue", "prior_tax_year_revenue", "monthly_revenue",
    "global_consolidated_monthly_revenue", "revenue_12_months", "revenue_any_12_months", "gmv",
    "business_type", "commercial_use", "competing_product", "software_or_cloud_provider",
]  # fmt: skip
Measured = Literal["month_before_release", "month_before_use", "any_month", "any_day", "average_of_six_months"]
Scope = Literal["all", "each", "using"]
"""Of products: all together, each by itself, or those that use the model, each by itself."""

TESTED: Mapping[str, tuple[Measured, ...]] = {
    "monthly_active_users": ("month_before_release", "month_before_use", "any_month", "average_of_six_months"),
    "daily_active_users": ("any_day",),
}
"""What is tested of a metric."""

_Partial = Annotated[
    str, BeforeValidator(lambda v: str(v) if isinstance(v, date | int) else v), Field(pattern=r"^\d{4}(-\d\d){0,2}$")
]


class VersionDate(Model):
    """When a version came out, as far as its text says."""

    date: _Partial | None
    label_in_text: str | None = None
    note: str | None = None


class Exemption(Model):
    """Whom a text leaves out."""

    section: str
    what: Text
    integrated_end_user_product: bool = False
    """Whether it leaves out of the clause who has the model inside a licensee's integrated end-user product."""


class Clause(Model):
    """What a text asks of users, revenue or use."""

    id: Name
    inherits: str | None = None
    """Of which entry and clause (`llama-2#mau`) it has what isn't said here."""
    section: str | None = None
    article: str | None = None
    metric: Metric | None = None
    threshold: int | None = None
    comparator: Literal["gt", "gte", "gte_or_gt_unverified"] | None = None
    """gt: strictly more than the threshold is over it; gte: the threshold itself is."""
    unit: str | None = None
    whose: tuple[
        Literal["licensee", "licensee_affiliates", "licensee_company_consolidated", "employer", "legal_entity_group"], ...
    ] = ()
    affiliate_defined: bool | None = None
    affiliate_definition: str | None = None
    aggregated: bool | str | None = None
    products_in_scope: str | None = None
    scope: Scope = "all"
    region: str | None = None
    per: str | None = None
    period: str | None = None
    rule: str | None = None
    metric_defined: bool | None = None
    uniqueness_stated: bool | None = None
    undefined: tuple[str, ...] = ()
    test: Literal["snapshot", "continuous", "continuous_implied"] | None = None
    test_date: date | None = None
    measured: Measured | None = None
    """By which rule it is tested here."""
    measured_period: Month | None = None
    measured_period_rule: str | None = None
    alternative_measured_period_if_own_date: Month | None = None
    tested_again_later_in_text: bool | None = None
    effect_over: str | None = None
    exemptions: tuple[Exemption, ...] = ()
    internal_use_exempt: bool | None = None
    commercial_use_only: bool | None = None
    wording_fingerprint: str | None = None
    needs: str | None = None
    """Why it isn't tested, and what that would need."""

    @model_validator(mode="after")
    def _tested_or_not(self) -> Self:
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
        return self.unit == "users" or (self.metric is not None and "_active_" in self.metric)

    @property
    def tested(self) -> bool:
        return self.needs is None

    @property
    def by_one_month(self) -> bool:
        """Whether one month's users decide it, wherever they are: that is what is published, and what alerts can watch."""
        return self.tested and self.region is None and self.measured in ("month_before_release", "month_before_use", "any_month")

    @property
    def with_affiliates(self) -> bool:
        """Whether the licensee's affiliates are named beside it."""
        return "licensee_affiliates" in self.whose

    @property
    def group_snapshot(self) -> bool:
        """Whether it is tested once, at a release, for all of a group's products together."""
        return self.tested and self.measured == "month_before_release" and self.with_affiliates and self.scope == "all"

    @property
    def tested_month(self) -> date | None:
        """First day of the month that its release date tests; none where it is tested month by month."""
        return month_before(self.test_date) if self.test_date else None

    @property
    def said_of(self) -> str:
        """Whose users count."""
        return "licensee and its affiliates" if self.with_affiliates else "licensee"


class Entry(Model):
    """A version's licence, or a regulation."""

    id: Name
    name: Text
    licensor: Text
    family: str | None = None
    """What versions are of one family: a newer one tests anew."""
    kind: Kind
    evidence: Evidence
    sources: Annotated[tuple[Text, ...], Field(min_length=1)]
    reviewed: date
    review_by: date
    version_date: VersionDate
    clauses: tuple[Clause, ...] = ()
    inherits: str | None = None
    ids: Mapping[str, str | None] = {}
    celex: str | None = None
    text: str | None = None
    """Digest of the text that was read (`git-blob:` or `sha256:`), to compare with what was accepted."""
    licence: str | None = None
    weights: str | None = None
    user_threshold: int | None = None
    purpose_limit: str | None = None
    geographic_limits: str | Mapping[str, str] | None = None
    attribution: Mapping[str, bool | str | None] = {}
    output_training: Mapping[str, bool | str] = {}
    termination: Mapping[str, str] = {}
    transferable: bool | None = None
    governing_law: str | None = None
    exemptions: tuple[Exemption, ...] = ()
    history: tuple[Text, ...] = ()
    group_rule: str | None = None
    effect_over: str | None = None
    anti_circumvention: str | None = None
    adjust: str | None = None
    methodology: Mapping[str, str] = {}
    notes: tuple[str, ...] = ()
    note_conflict: str | None = None

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({clause.id for clause in self.clauses}) != len(self.clauses):
            raise ValueError("two of its clauses have one id")
        if self.review_by < self.reviewed:
            raise ValueError(f"`review_by` {self.review_by} lies before `reviewed` {self.reviewed}")
        return self

    @property
    def watchable(self) -> bool:
        """Whether alerts can watch a clause of it."""
        return any(clause.by_one_month for clause in self.clauses)

    @property
    def digest(self) -> str:
        """SHA-256 of all it says, whatever the order of its keys."""
        said = json.dumps(self.model_dump(mode="json", by_alias=True, exclude_defaults=True), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def released(self) -> date | None:
        """Its version's date, where it is a day."""
        said = self.version_date.date
        return date.fromisoformat(said) if said and len(said) == 10 else None


class Interpretation(Model):
    """A point that a text leaves open, and who reads it how."""

    point: Text
    family: str
    """Whose texts leave it open."""
    textual: str | None = None
    reading: str | None = None
    readings: Mapping[str, tuple[Text, ...]] = {}
    vendor_answer: str | None = None
    undecided: bool | str = False
