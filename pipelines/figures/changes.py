"""What has changed since a month was published: settings, contributions, counts, erased sketches, the way of counting.

Published figures stand until a run publishes others. Whoever reads the figures is told what the next run would take in.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from affiliates.manifests.group import Group
from affiliates.manifests.readings import Reading
from pipelines.counting.convention import METHOD
from pipelines.counting.inputs import NEEDS_RUN, Inputs, gather, limited_to, under_earlier_settings
from pipelines.figures.comparability import InputsOutline
from pipelines.store import publications
from pipelines.store.contributions import ContributionStore
from pipelines.store.publications import Publication

OTHER_SETTINGS = "the time zone, `namespaces`, the reading's audiences, or a product's life, grain or `settles_after`"
"""The settings that move a figure by themselves, beside which products are due."""
_MOST = 5
"""Products that are named."""


def since_published(store: ContributionStore, group: Group, reading: Reading, publication: Publication) -> list[str]:
    """What has changed of what a publication rests on, a text each; empty where a run would publish the same."""
    now = gather(store, group, publication.month, reading, method=publication.method)
    same_method = publication.signed or publication.method == METHOD
    # A run computes these periods anew, whose contributions are then others.
    stale = [text for text in under_earlier_settings(now, group) if text not in publication.not_counted]
    if same_method and is_same(publication, now) and not stale:
        return []
    method = publication.method
    up_to = publication.position
    then = gather(store, group, publication.month, reading, up_to=up_to, method=method) if up_to else now
    changes = [*_settings(store, group, publication, then), *(f"settings have changed: {text}" for text in stale)]
    changes += _contributions(then, now)
    if not same_method:
        changes.append(f"it was counted by method {publication.method}, and this version of mauwatch counts by method {METHOD}")
    return changes or ["sketches that it rests on were erased"]


def is_same(publication: Publication, inputs: Inputs | InputsOutline) -> bool:
    """Whether a publication rests on these inputs. A signed month isn't another for sketches that were erased since."""
    return publication.inputs == inputs.digest or (publication.signed and publication.inputs == inputs.unerased)


def describe(publication: Publication, changes: Sequence[str]) -> str:
    """One sentence: which figures are shown, what has changed since, and what takes the changes in."""
    month = f"{publication.month:%Y-%m}"
    state = f"{publication.state} on" if publication.signed else "published on"
    close = f"`mauwatch close {month} --by NAME --restates REASON`"
    shown = f"{month} is shown as it was {state} {publication.known_at:%Y-%m-%d %H:%M} UTC. Since then {'; '.join(changes)}. "
    # What has to be computed again is in the store as it was computed before: `--anew` would show the same.
    if any(text.endswith(NEEDS_RUN) for text in changes):
        restated = f", and then {close} signs the month with it" if publication.signed else ", and publishes the month with it"
        return f"{shown}`mauwatch run` computes that{restated}"
    how = f"{close} signs" if publication.signed else "`mauwatch run` publishes"
    return f"{shown}`mauwatch measure --month {month} --anew` measures with that, and {how} the month with it"


def _settings(store: ContributionStore, group: Group, publication: Publication, then: Inputs) -> Iterator[str]:
    """How the settings differ from those of the publication, by what the store held when it was published."""
    if publication.inputs in (then.digest, then.unerased):
        return
    published = {row["subject"] for row in publications.figures_of(store, publication.id) if row["scope"] == "product"}
    due = [str(ref) for ref, _ in then.due]
    added = [name for name in due if name not in published]
    gone = sorted(published - set(due))
    parts = [f"due now, and not counted then: {_named(added)}"] if added else []
    parts += [f"counted then, and not due any more: {_named(gone)}"] if gone else []
    without = limited_to(then, group, published)
    if gone or publication.inputs not in (without.digest, without.unerased):
        parts.append(f"{'perhaps ' if gone else ''}another value of {OTHER_SETTINGS}")
    yield f"settings have changed: {'; '.join(parts)}"


def _contributions(then: Inputs, now: Inputs) -> Iterator[str]:
    """Contributions and stated counts that have come since."""
    known = {version.id for version in then.versions}
    computed = {version.id: version.computed_at for version in then.versions}
    come = Counter(str(version.ref) for version in now.versions if version.id not in known)
    if come:
        number = sum(come.values())
        yield f"{number} contribution{'s have' if number > 1 else ' has'} come, of {_named(list(come))}"
    elif any(version.computed_at != computed[version.id] for version in now.versions):
        yield "contributions have been computed again since their late events came, and are the same"
    counts = sorted(
        str(ref)
        for ref in then.stated_counts.keys() | now.stated_counts.keys()
        if then.stated_counts.get(ref) != now.stated_counts.get(ref)
    )
    if counts:
        yield f"the counts or ceilings of {_named(counts)} have changed"


def _named(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    return ", ".join(names[:_MOST]) + (f" and {len(names) - _MOST} more" if len(names) > _MOST else "")
