"""A packet: what headquarters tells an affiliate that counts on its own machine, in the place of its own manifests. Pure.

No identifier, no key and no address of a store is in a packet. A fingerprint tells the affiliate whether it got the right key.
"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field

from affiliates.manifests.base import Dated, Model, Month, Name, Sha256, Text, Zone
from affiliates.manifests.group import Group
from affiliates.manifests.namespaces import Namespace, NobodyText
from affiliates.manifests.product import AUDIENCES, Active, Audience, Product
from affiliates.periods import Grain

FORMAT: Literal["mauwatch-packet-1"] = "mauwatch-packet-1"
"""Name and version of the format."""


class PacketKey(Model):
    """An epoch of the group key, without the key."""

    epoch: Name
    """The epoch's name."""
    from_: Month | None = Field(None, alias="from")
    """The first month that is hashed by the epoch's key; open for the first epoch."""
    fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{12}$")] | None = None
    """What tells the key from another; nothing for a destroyed key."""
    destroyed: date | None = None
    """The day on which the key was destroyed."""


class PacketProduct(Dated):
    """A product as headquarters expects the affiliate to count it. The fields are those of `Product`."""

    product: Name
    name: str = ""
    from_: date = Field(alias="from")
    active: Active
    grain: Grain = "day"
    settles_after: int = 3
    namespaces: tuple[Name, ...] = ()
    """The namespaces that each contribution must have; none where headquarters names none."""
    audiences: tuple[Audience, ...] = AUDIENCES

    @classmethod
    def of(cls, product: Product) -> Self:
        """What an affiliate needs of a product; nothing of its sources, counts, ceilings and models."""
        namespaces = product.namespaces or tuple(dict.fromkeys(n for source in product.sources for n in source.namespaces))
        values = {name: getattr(product, name) for name in cls.model_fields if name != "namespaces"}
        return cls(**values, namespaces=namespaces)


class PacketSnapshot(Model):
    """A snapshot of the crosswalk that lies in the packet."""

    month: Month | None = None
    """Its month; nothing for the one snapshot of all months."""
    digest: Sha256
    """Of its rows, as each contribution of the month has to name it."""
    keys: Annotated[int, Field(ge=0)]
    """How many keys it joins."""

    @property
    def file(self) -> str:
        """The snapshot's name in the packet, and in the affiliate's directory."""
        return CROSSWALK_FILE.replace("{month}", f"{self.month:%Y-%m}") if self.month else ONE_CROSSWALK_FILE


CROSSWALK_FILE, ONE_CROSSWALK_FILE = "crosswalk-{month}.parquet", "crosswalk.parquet"
"""What an affiliate's `crosswalk` setting says: of a snapshot a month, and of one for all months."""


class Packet(Model):
    """All that an affiliate needs of its group, but for the group key."""

    packet: Literal["mauwatch-packet-1"] = FORMAT
    protocol: Text
    """The contract's version by which headquarters reads contributions."""
    normalisation: Text
    """The normalisation of identifiers that headquarters has."""
    made_on: date
    """The day on which headquarters wrote it, in the group's zone."""
    group: Name
    name: str = ""
    """The group's full name."""
    ultimate_parent: Name
    time_zone: Zone
    lg_k: Annotated[int, Field(ge=12, le=21)]
    largest_person: Annotated[int, Field(ge=2)] = 100
    """As in group.yaml: a snapshot of the crosswalk with a larger person is refused."""
    keys: Annotated[tuple[PacketKey, ...], Field(min_length=1)]
    crosswalk: Literal["none", "one", "monthly"]
    """Whether the group joins identifiers, by one snapshot or by one a month."""
    snapshots: tuple[PacketSnapshot, ...] = ()
    """Those that lie in the packet."""
    namespaces: tuple[Name, ...]
    """All namespaces that the group's manifests name: identifiers of one kind need one name everywhere."""
    forms: Literal["recognised"] | None = None
    """As in group.yaml: identifiers are spelt alike everywhere, or one person is two."""
    names_nobody: tuple[NobodyText, ...] = ()
    """As in group.yaml."""
    spellings: Mapping[Name, Namespace] = Field(default_factory=dict)
    """Of group.yaml's `namespaces`, what says how identifiers are written and which of them name nobody."""
    affiliate: Name
    """The entity whose packet it is."""
    affiliate_name: str = ""
    signed: bool = False
    """Whether headquarters takes its files with a signature alone."""
    products: Annotated[tuple[PacketProduct, ...], Field(min_length=1)]
    send_to: str = ""
    """Where the affiliate hands its files in, in headquarters' words."""

    @property
    def crosswalk_setting(self) -> str | None:
        """What group.yaml of the affiliate says of the crosswalk."""
        return {"none": None, "one": ONE_CROSSWALK_FILE, "monthly": CROSSWALK_FILE}[self.crosswalk]


def spellings_of(namespaces: Mapping[str, Namespace]) -> dict[str, Namespace]:
    """What a packet says of namespaces: their spellings alone."""
    return {
        name: Namespace(form=namespace.form, names_nobody=namespace.names_nobody)
        for name, namespace in namespaces.items()
        if namespace.form or namespace.names_nobody
    }


def namespaces_of(group: Group) -> tuple[str, ...]:
    """All namespaces that a group's manifests name, in order."""
    products = group.products.values()
    of_sources = {name for product in products for source in product.sources for name in source.namespaces}
    return tuple(sorted(of_sources | {name for product in products for name in product.namespaces}))
