"""What `mauwatch doctor` looks at where the whole group is: the store, the licence registry, the alerts' channels."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from affiliates.errors import RefusedError
from affiliates.manifests.group import Group
from affiliates.periods import local_day
from pipelines.alerts import channels, rules, unusual_data
from pipelines.figures import data_findings, signed_readings
from pipelines.ingestion import clock_check
from pipelines.licences import registry
from pipelines.store import contributions, engine, mark

Examined = tuple[str, bool, str]
"""As `doctor.Examined`."""


def store(directory: Path, group: Group, now: datetime) -> Iterator[Examined]:
    """Whether the store can be opened, which months it has, and what the data in it show."""
    # Looking must not make a store: an empty one would answer every question with nothing.
    try:
        if not engine.exists(group.settings.store, directory):
            yield "store", True, "none yet; the first run makes it"
            return
        with contributions.open_store(group.settings.store, directory) as opened, opened.snapshot() as fixed:
            months = fixed.read_months()
            accepted = unusual_data.accepted(fixed)
            in_store = data_findings.read(fixed, group, now)
            # What a run has read in the sources is known by its alert alone.
            clock = clock_check.look(fixed, now)
            other = [*mark.findings(fixed, directory), *signed_readings.findings(fixed, group)]
            noted = [finding for finding in unusual_data.open_findings(fixed) if not data_findings.is_in_store(finding)]
    except RefusedError as error:
        yield "store", False, str(error)
        return
    yield "store", True, f"{len(months)} months, {months[0]:%Y-%m} to {months[-1]:%Y-%m}" if months else "empty"
    for told in other:
        yield "store", False, str(told)
    for told in clock.findings:
        yield "clock", False, str(told)
    for finding in [*in_store, *noted]:
        if finding.subject not in accepted:
            yield "data", False, str(finding)


def licences(directory: Path, group: Group, now: datetime) -> Iterator[Examined]:
    """The registry's state, licences that it doesn't know, and thresholds that nobody watches."""
    try:
        known = registry.from_directory(directory)
    except RefusedError as error:
        yield "registry", False, "; ".join(map(str, error.refusals))
        return
    text = f"{len(known.entries)} entries, the newest reviewed on {max(entry.reviewed for entry in known.entries)}"
    today = local_day(now, group.settings.time_zone)
    due = known.due_for_review(today)
    passed = ", ".join(f"{entry.id} ({entry.review_by})" for entry in due)
    text += f"; review date has passed: {passed}" if due else ""
    text += "".join(f"; replaced by licences/*.yaml: {replacement}" for replacement in registry.replacements(known))
    # Such an entry would stand before each newer one that comes with a later version.
    own = [entry for entry in known.entries if entry.id in (*known.added, *known.replaced)]
    ahead = ", ".join(entry.id for entry in own if entry.reviewed > today)
    yield "registry", not ahead, text + (f"; correct `reviewed`, a day that is still to come: {ahead}" if ahead else "")
    for refusal in registry.unknown(group, known):
        yield f"licence of {refusal.subject}", False, str(refusal)
    for text in rules.unwatched(group, known, today):
        yield "alerts", False, text


def alert_channels(directory: Path, group: Group) -> Iterator[Examined]:
    """Whether each channel's address can be had; what it is isn't said, and nothing is sent."""
    named = group.alerting.channels
    if not named:
        yield "alerts", True, "no channels: alerts are kept, and nobody is told"
    for channel in named:
        try:
            known = all(channels.is_known(channel.url(n, directory)) for n in range(channel.addresses))
        except RefusedError as error:
            yield "alerts", False, str(error)
            continue
        text = f"channel {channel.name} for {channel.audience}: {', '.join(channel.gets)}"
        yield "alerts", known, text if known else f"channel {channel.name}: an address isn't one that apprise knows"
