"""alerts.yaml: what the group wants to be told of, and how long what it would do takes."""

from typing import Annotated

from pydantic import Field

from affiliates.model import Model

Days = Annotated[int, Field(ge=0, le=3650)]


class LeadTimes(Model):
    """Days from a decision until it holds."""

    licence_request: Days = 90
    """To ask for a licence and be granted one."""
    migration: Days = 180
    """To move the products to another model."""


class Alerts(Model):
    """alerts.yaml."""

    lead_times: LeadTimes = LeadTimes()
