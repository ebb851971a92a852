"""The AI models that a product uses. They decide nothing of who counts, so no digest of a figure's inputs has them. Pure."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from affiliates.manifests.base import Dated, Day, Model, Name, Share, Text

Hosted = Literal["self", "cloud_host", "licensor", "vendor"]
"""Who runs a model: the group itself, a cloud host, the licensor, or a vendor whose product has the model inside."""


class FlowDown(Model):
    """A clause of the host's own that comes with the model. The clause is tested month by month."""

    threshold: Annotated[int, Field(gt=0)]
    """The number of users in the clause."""
    comparator: Literal["gt", "gte"] = "gt"
    """`gt`: more than the threshold is over it. `gte`: the threshold itself is."""
    counts: Literal["product", "group"] = "product"
    """Whose monthly users the clause counts."""
    document: Text
    """The document in which the clause stands."""


class Revenue(Model):
    """A product's revenue in a year."""

    amount: Annotated[Decimal, Field(ge=0)]
    """The amount, in the currency."""
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    """Three letters of ISO 4217."""
    year: Annotated[int, Field(ge=1990, le=2999)]
    """The calendar year."""


class Cost(Model):
    """What something costs once, as the group expects."""

    amount: Annotated[Decimal, Field(ge=0)]
    """The amount, in the currency."""
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    """Three letters of ISO 4217."""


class Exempt(Model):
    """Why the licence's text leaves this use out: the model came inside a licensee's integrated end-user product."""

    basis: Text
    """Whose product it is, and which section of the licence leaves it out."""
    document: Text
    """The document that shows this."""


class ModelUse(Dated):
    """A model that a product uses, since when, and where it runs."""

    model: Name
    """The licence's id in the registry."""
    from_: Day = Field(alias="from")
    """The first day of its use."""
    revision: Text | None = None
    """The model's revision: a licensor may change the licence from one to the next."""
    hosted_by: Hosted
    """Who runs the model."""
    host: Text | None = None
    """The name of the cloud host or vendor."""
    flow_down: FlowDown | None = None
    """A clause of the host's own."""
    revenue: Revenue | None = None
    """The product's revenue, of which `revenue_share` rests on the model."""
    revenue_share: Share | None = None
    """The share of the revenue that rests on the model."""
    alternative: Text | None = None
    """What would be used without the model."""
    switching_cost: Cost | None = None
    """The cost of going over to the alternative; alerts and dependencies show it beside the revenue."""
    integrated_end_user_product: Exempt | None = None
    """Why the licence leaves this use out."""

    @model_validator(mode="after")
    def _host_named(self) -> Self:
        if self.hosted_by in ("cloud_host", "vendor") and self.host is None:
            raise ValueError(f"a model hosted by a {self.hosted_by} needs `host`: whose it is")
        if self.flow_down is not None and self.hosted_by not in ("cloud_host", "vendor"):
            raise ValueError("`flow_down` is a clause of a cloud host's or vendor's own")
        return self
