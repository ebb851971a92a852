"""What `mauwatch init` writes: a small group that runs as it is and explains itself."""

import secrets
import shutil
from collections.abc import Collection, Mapping
from datetime import date
from pathlib import Path

from affiliates.concurrency import temporary_folder
from affiliates.errors import Code, refused
from affiliates.manifests.loader import read_group
from affiliates.periods import DAY

_GROUP = """\
# What holds for the whole group.
group: {name}
ultimate_parent: parent        # the entity in affiliates/ that nobody controls
time_zone: {zone}              # whose calendar months are measured; the licence names none
store: sqlite:///.mauwatch/store.sqlite
key:                           # the secret that all affiliates share; never in git
  file: .mauwatch/group.key    # or `env: MAUWATCH_KEY`, from a secret store
  epoch: "1"                   # changes with the key, only at a month's start
# crosswalk: crosswalk-{{month}}.parquet   # joins the identifiers of one person: `mauwatch crosswalk`
forms: recognised              # UUIDs and long hex are one identifier in any case of letters, and 1000.0 is 1000
# names_nobody: [kein Wert, -99]   # values of your systems that name nobody, beside those that mauwatch knows
# largest_person: 100            # identifiers that one has at most; more are many people's, and not joined
# How many identifiers of a kind one person has; the lower bounds rest on it. Of what isn't said, any number may be one's.
namespaces:
  email: {{identifiers_per_person: 1}}        # an account each, which nobody has twice
  device: {{identifiers_per_person: [1, 3]}}  # `several` if nobody knows; [0.5, 3] if two people may share one
  # person: {{identifiers_per_person: 1}}     # the crosswalk joins all identifiers of whomever it joins
# legend: Privileged and confidential.   # counsel's own text, on every page, export and message
keep_sketches: 24              # months; `mauwatch erase --retention` erases older sketches, signed figures stay
lg_k: 21                       # 2^21 registers: a standard error of 0.07 %
"""

_PARENT = """\
entity: parent
name: The ultimate parent
"""

_EXAMPLE = """\
# One file an entity. Replace this one by your own: what counts is who owns it and what it offers.
entity: example
name: An affiliate
owned_by:
  - {owner: parent, share: 60 %, from: 2020-01-01}   # over 50 % held by members makes an affiliate
# controlled_by:                 # without a majority; basis: vie (variable interest entity), board,
#                                # voting, consolidation or contract
#   - {by: parent, basis: vie, document: "agreement of 2020-01-01", from: 2020-01-01}
products:
  - product: app
    name: The app
    from: 2025-01-01           # from here on its days are due; missing ones are said
    settles_after: 3           # days until late events have arrived
    active: {id: seen, version: 1, meaning: opened the app}
    sources:
      - files: data/app.csv    # Parquet, CSV or JSON lines, also .gz and .zst; a file, a folder,
                               # or a pattern such as data/app-{day}.csv
        complete_through: 2025-01-31   # with {day} in `files`, leave it out
        time: at               # or {column: at, zone: Asia/Tokyo}
        identifiers:           # the first usable one of an event is its user
          - {column: user, namespace: email}
          - {column: device, namespace: device}
        counts_when: kind = 'open'   # on one event at a time; null doesn't count and is reported
        internal_when: lower(coalesce(user, '')) like '%@staff.example.com'
        automated_when: agent like '%bot%'
        # files: s3://bucket/app/{day}/*.parquet   # also gs:// and az://; credentials from the environment alone
        # table: analytics.events                 # instead of `files`, with `database: {env: APP_DB_URL}`
        # format: csv            # where the files' ending doesn't tell; separator: ";"
        # types: {ts: integer}   # CSV and JSON lines are text; a `time` with a `unit` needs this
        # day_zone: Asia/Tokyo   # for files named by {day} without `time`, if the days aren't the group's
    # audiences: [external]      # whose sketches leave: without internal users, a reading that counts them has no upper bound
    # Where there is no sketch: people in a month from a document, and what they can't exceed:
    # counts: [{month: 2025-02, users: 1200, unit: people, document: annual report, attested_by: CFO}]
    # ceilings: [{users: 90000, unit: accounts, document: register, attested_by: CTO, from: 2025-01-01}]
    # The AI models that it uses, for `mauwatch licences --dependencies`; hosted_by: self, cloud_host, licensor or vendor:
    # models: [{model: llama-4, from: 2025-05-01, hosted_by: cloud_host, host: its name, alternative: qwen-2024}]
"""

_READINGS = """\
# How the group reads the clause. Each licence test is shown under every reading.
# Also: audiences: [external, internal] (or automated), control_share: 50 %,
# membership: release_date (or month_end).
readings:
  - {name: unique_people, counts: unique_people}
  - {name: summed_products, counts: summed_products}
# The one that the group stands by, adopted by a named person before the month closes:
# of_record:
#   - {reading: unique_people, adopted_by: General Counsel, from: 2025-01-01}
"""

_ALERTS = """\
# Who is told when a threshold comes near, or when data is missing. Without channels, alerts are kept: `mauwatch alerts`.
# Levels, by the share of the threshold: shares: {watch: 70 %, prepare: 85 %, act: 95 %}; `over` is the figure itself.
# channels:                      # apprise URLs; those with a password or a token from outside git
#   - {name: counsel, audience: legal, url_env: COUNSEL_URL}     # alerts on thresholds go to legal alone
#   - {name: partner, audience: legal, url_env: PARTNER_URL, escalation: true}   # what nobody has acknowledged
#   - {name: data, audience: ops, urls: ["mailto://mail.example.com?from=mauwatch@example.com&to=data@example.com"]}
# licences: [llama-4]            # whose thresholds are watched; else Llama's and those of the models in use
# allowed_domains: [example.com]   # figures only to these; elsewhere a link
# link: https://mauwatch.example.com
# escalate_after: 3              # days
# heartbeat: {url_env: HEARTBEAT_URL}   # called after each run that succeeded
# owners: {example/app: Head of App}
lead_times: {licence_request: 90, migration: 180}   # days
"""

IGNORED = ".mauwatch/\n*.key\n*crosswalk*.parquet\n"
"""What git keeps out of a directory of manifests: keys, and tables of keys."""


def write(directory: Path, name: str, zone: str) -> list[Path]:
    """Make a group directory and say which files it has.

    Raises `RefusedError` when the folder holds anything already, and for a wrong name or zone; then
    nothing is made.
    """
    key = ".mauwatch/group.key"
    files = {
        "group.yaml": _GROUP.format(name=name, zone=zone),
        "affiliates/parent.yaml": _PARENT,
        "affiliates/example.yaml": _EXAMPLE,
        "readings.yaml": _READINGS,
        "alerts.yaml": _ALERTS,
        "data/app.csv": _events(),
        ".gitignore": IGNORED,
        key: f"{secrets.token_hex(32)}\n",
    }
    return put_in_place(directory, files, {key})


def put_in_place(directory: Path, files: Mapping[str, str | bytes], secret: Collection[str]) -> list[Path]:
    """Write a directory of manifests, whole or not at all, and say which files it has. `secret`: those for the owner alone.

    Raises `RefusedError` when the folder holds anything already, and where the manifests have a mistake.
    """
    # Written over a group directory, the example would count its made-up users as the group's.
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise refused(Code.FILE_EXISTS, str(directory), "is not an empty folder", "", "name a new one")
    with temporary_folder() as temporary:
        private = temporary / ".mauwatch"
        private.mkdir()
        for file, content in files.items():
            path = temporary / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600 if file in secret else 0o644)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        # The example is read as the user's files will be, before anything of it is put in place.
        read_group(temporary, edge=None)
        temporary.chmod(0o755)  # A temporary folder is its owner's alone; only the key's stays so.
        private.chmod(0o700)
        shutil.copytree(temporary, directory, dirs_exist_ok=True)
    return [directory / file for file in files]


def _events() -> str:
    """A month of made-up events: 120 signed-in users, 30 devices, a bot, an employee."""
    lines = ["at,kind,user,device,agent"]
    for i in range(400):
        day = date(2025, 1, 1) + DAY * (i * 7 % 31)
        user = f"user{i % 120}@example.com" if i % 4 else ""
        # Everybody has a device of their own, as group.yaml says.
        device = i % 120 + 30 if user else i % 30
        lines.append(f"{day}T{i % 24:02}:00:00Z,{'open' if i % 9 else 'push'},{user},device-{device},browser")
    lines += [
        "2025-01-15T08:00:00Z,open,crawler@example.org,,somebot/1.0",
        "2025-01-15T09:00:00Z,open,kim@staff.example.com,,browser",
    ]
    return "\n".join(lines) + "\n"
