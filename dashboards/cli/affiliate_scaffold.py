"""What `mauwatch init --affiliate` writes: an affiliate's part of its group, to be filled in where its events lie."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from affiliates.contributions.contract import PROTOCOL
from affiliates.identity.normalisation import NORMALISATION
from affiliates.manifests.packet import Packet, PacketKey, PacketProduct
from affiliates.manifests.product import AUDIENCES, Active
from dashboards.cli import scaffold

_GROUP = """\
# What headquarters says of the whole group{origin}. Whoever counts by other settings is refused, so change nothing here alone.
group: {group}
ultimate_parent: {parent}
time_zone: {zone}   # whose calendar months are measured
{keys}
{crosswalk}
lg_k: {lg_k}   # 2^{lg_k} registers in a sketch
# Hand in: {send_to}
"""
_KEY_LINES = """\
# The secret that all affiliates share: it comes through a secret store, never in a packet or by mail, and never into git.
# In the place of `file`: `env: MAUWATCH_KEY`. With the `fingerprint`, any other key in its place is refused."""
_CROSSWALK_LINE = "   # joins the identifiers of one person; headquarters hands over each month's"

_PRODUCT = """\
  - product: {product}
    name: {name}
    from: {begin}           # from here on its days are due
{to}    grain: {grain}               # or month: whole months only
    settles_after: {settles_after}           # days until late events have arrived
    active: {active}
    sources:
      # Where the events lie. Replace the names of file and columns by your own.
      - files: data/{product}-{{day}}.parquet   # Parquet, CSV or JSON lines, also .gz and .zst; a file, a folder, or a pattern
        # complete_through: 2025-01-31   # without {{day}} in `files`: the last day whose events are all there
        time: at               # or {{column: at, zone: Asia/Tokyo}}
        identifiers:           # the first usable one of an event is its user{namespaces}
{identifiers}
        # counts_when: kind = 'open'     # which events count
        # internal_when: lower(coalesce(user, '')) like '%@staff.example.com'
        # automated_when: agent like '%bot%'
        # files: s3://bucket/{product}/{{day}}/*.parquet   # also gs:// and az://
        # table: analytics.events      # instead of `files`, with `database: {{env: EVENTS_DB_URL}}`; or in a warehouse, alone
{audiences}"""


def write(directory: Path, packet: Packet, tables: dict[str, bytes], origin: str) -> list[Path]:
    """Make an affiliate's directory and say which files it has. `tables`: the crosswalk's snapshots by name.

    Raises `RefusedError` when the folder holds anything already; then nothing is made.
    """
    files: dict[str, str | bytes] = {
        "group.yaml": _group_yaml(packet, origin),
        f"affiliates/{packet.affiliate}.yaml": _manifest(packet),
        ".gitignore": scaffold.IGNORED,
        **tables,
    }
    return scaffold.put_in_place(directory, files, secret=set(tables))


def without_packet(affiliate: str, group: str, zone: str) -> Packet:
    """What stands in the place of a packet that isn't there yet: one product, by default settings, to be corrected."""
    product = PacketProduct(
        product="app", from_=date(2025, 1, 1), active=Active(id="seen", meaning="opened the app"), namespaces=("email", "device")
    )
    return Packet(
        protocol=PROTOCOL,
        normalisation=NORMALISATION,
        made_on=date(2025, 1, 1),
        group=group,
        ultimate_parent="parent",
        time_zone=zone,
        lg_k=21,
        keys=(PacketKey(epoch="1"),),
        crosswalk="none",
        namespaces=("device", "email"),
        affiliate=affiliate,
        products=(product,),
    )


def key_file(keys: Sequence[PacketKey], key: PacketKey) -> str:
    """Where an epoch's key belongs in an affiliate's directory."""
    return ".mauwatch/group.key" if len(keys) == 1 else f".mauwatch/group-{key.epoch}.key"


def _group_yaml(packet: Packet, origin: str) -> str:
    crosswalk = packet.crosswalk_setting
    return _GROUP.format(
        origin=origin,
        group=_text(packet.group),
        parent=_text(packet.ultimate_parent),
        zone=_text(packet.time_zone),
        keys="\n".join([_KEY_LINES, "keys:", *(f"  - {_key(packet.keys, key)}" for key in packet.keys)]),
        crosswalk=(
            f"crosswalk: {_text(crosswalk)}{_CROSSWALK_LINE}" if crosswalk else "# No crosswalk: identifiers aren't joined."
        )
        + _spellings(packet),
        lg_k=packet.lg_k,
        send_to=" ".join(packet.send_to.split()) or "as headquarters says; `mauwatch receive` reads the file there",
    )


def _spellings(packet: Packet) -> str:
    """The group's settings of spellings and people, a line each, as YAML reads JSON; nothing where the group has none."""
    names = {"forms", "names_nobody", "spellings", "largest_person"}
    whole = packet.model_dump(mode="json", include=names, exclude_defaults=True)
    lines = [f"{name.replace('spellings', 'namespaces')}: {json.dumps(said, ensure_ascii=False)}" for name, said in whole.items()]
    return "".join(f"\n{line}" for line in lines)


def _key(keys: Sequence[PacketKey], key: PacketKey) -> str:
    where = f"destroyed: {key.destroyed}" if key.destroyed else f"file: {_text(key_file(keys, key))}"
    parts = [f"epoch: {_text(key.epoch)}", where]
    parts += [f"from: {_text(f'{key.from_:%Y-%m}')}"] if key.from_ else []
    parts += [f"fingerprint: {_text(key.fingerprint)}"] if key.fingerprint else []
    return f"{{{', '.join(parts)}}}"


def _manifest(packet: Packet) -> str:
    head = f"# Where your events lie is yours to say.\nentity: {_text(packet.affiliate)}\nname: {_text(packet.affiliate_name)}\n"
    return f"{head}products:\n" + "".join(_product(product, packet.namespaces) for product in packet.products)


def _product(product: PacketProduct, all_namespaces: Sequence[str]) -> str:
    names = product.namespaces or all_namespaces or ("email",)
    active = f"id: {_text(product.active.id)}, version: {product.active.version}, meaning: {_text(product.active.meaning)}"
    limited = f"    audiences: [{', '.join(product.audiences)}]   # whose sketches leave\n"
    return _PRODUCT.format(
        product=product.product,
        name=_text(product.name),
        begin=product.from_,
        to=f"    to: {product.to}\n" if product.to else "",
        grain=product.grain,
        settles_after=product.settles_after,
        active=f"{{{active}}}",
        namespaces=f"; the group's namespaces: {', '.join(all_namespaces)}" if all_namespaces else "",
        identifiers="\n".join(f"          - {{column: {_text(name)}, namespace: {_text(name)}}}" for name in names),
        audiences=limited if set(product.audiences) != set(AUDIENCES) else "",
    )


def _text(text: str) -> str:
    """A text between quotes, as YAML and JSON both read it: no name turns into a number or a truth value."""
    return json.dumps(text, ensure_ascii=False)
