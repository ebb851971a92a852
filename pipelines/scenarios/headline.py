"""The sentence that stands above a scenario's answer, and the notes below it. Pure."""

from collections.abc import Iterator

from pipelines.counting.convention import in_words
from pipelines.scenarios.answer_parts import MonthAnswer
from pipelines.scenarios.baseline import Baseline
from pipelines.scenarios.changes import Acquire, Exclude, Launch, OtherReading
from pipelines.scenarios.months import ScenarioMonths
from pipelines.scenarios.paths import ScenarioPaths
from pipelines.scenarios.sizes import lg_ks
from pipelines.scenarios.wording import chance, doing, people, span


def headline(paths: ScenarioPaths, months: ScenarioMonths) -> str:
    """What the changes do, in one sentence: from how many to how many, when, and the chance of being over the threshold."""
    shown = _shown(paths, months)
    title = paths.definition.title or doing(paths.changes)
    verb = "takes" if paths.definition.title or len(paths.changes) == 1 else "take"
    after = span(shown.after.p2_5, shown.after.p97_5)
    unknown = [
        c.subject for c in paths.changes if isinstance(c, Acquire | Launch) and c.overlap is not None and c.overlap.unknown
    ]
    doubt = f"; nobody has said how far {' and '.join(unknown)} overlaps" if unknown else ""
    lower, upper = shown.bounds.after
    # Where one person has several identifiers, the interval by the estimate may lie wide of the truth.
    certain = f"at least {people(lower)}" if upper is None else span(lower, upper)
    moved = f"{verb} the group from {people(shown.before.p50)} to {after} in {shown.month} ({certain} for certain{doubt})"
    return f"{title[0].upper()}{title[1:]} {moved}; {_chance(paths, months)}."


def _shown(paths: ScenarioPaths, months: ScenarioMonths) -> MonthAnswer:
    """The first month in which all changes hold; the decision's, where that comes later or never."""
    everything = (month for month in months.months if len(month.in_force) == len(paths.changes))
    first = next(everything, months.months[-1])
    decided = months.months[min(months.decision.offset, len(months.months) - 1)]
    return max(first, decided, key=lambda month: month.month) if first.in_force else decided


def _chance(paths: ScenarioPaths, months: ScenarioMonths) -> str:
    """The chance of being over the scenario's threshold at the first release to come."""
    own = next(c for c in months.licences if c.clause == paths.threshold_after.id)
    limit = f"{'over' if own.comparator == 'gt' else 'at least'} {people(own.threshold)}"
    when = f"in {own.month}, the horizon's end" if own.assumed else f"when the next version is released on {own.release}"
    text = f"chance of {limit} {when}: {chance(own.after)}"
    if own.after_by_range is None:
        return f"{text} by the estimate, and nothing bounds the group from above"
    # By the estimate alone a group may look safe whose bounds reach far over the threshold.
    if abs(own.after_by_range - own.after) >= 0.01:
        return f"{text} by the estimate, {chance(own.after_by_range)} by the range of its bounds"
    return text


def notes(paths: ScenarioPaths, months: ScenarioMonths) -> Iterator[str]:
    """What a reader has to know of the answer, one text each."""
    baseline = paths.baseline
    yield from baseline.notes
    if months.reasons:
        more = f", and {len(months.reasons) - 1} more" if len(months.reasons) > 1 else ""
        yield f"no upper bound: {months.reasons[0]}{more}"
    if months.impossible >= 0.005:
        yield f"on {chance(months.impossible)} of the paths the stated overlap couldn't hold: those are drawn again"
    yield f"by the estimate, {in_words(baseline.method)}; the bounds hold whoever is who"
    yield "products keep their sizes relative to the group: the series says how the whole grows, and not each part"
    for change in paths.changes:
        if change.source is None:
            yield f"no source is stated for: {change.label}"
        if isinstance(change, Exclude) and change.exclude.audience and change.exclude.audience not in baseline.reading.audiences:
            yield f"{change.label}: the reading {baseline.reading.name} doesn't count them, so nothing changes"
        if isinstance(change, OtherReading) and change.reading != baseline.reading.name:
            yield f"{change.label}: grown by the series of the reading {baseline.reading.name}"
        if isinstance(change, Acquire) and change.contribution is not None:
            yield f"{change.label}: grows with the group, since its contribution is of one month"
            yield from _of_precision(baseline, change)
        if isinstance(change, Acquire | Launch) and change.users is not None and change.growth is None:
            yield f"{change.label}: no growth is stated, so its number stays as it was in {change.users.month:%Y-%m}"
    if any(licence.assumed for licence in months.licences):
        yield f"no release is named: the horizon's last month, {months.months[-1].month}, is tested as if one came after it"
    yield from _of_members(paths)


def _of_precision(baseline: Baseline, change: Acquire) -> Iterator[str]:
    """Where a target's sketches have another lgK than the group's: at which both are united, and what that costs."""
    of_target = lg_ks(baseline.sizes.target_shares(change.acquire, tuple(baseline.reading.audiences)))
    of_group = lg_ks(baseline.sizes.shares_of(baseline.composition).values())
    if not of_target or not of_group or of_target == of_group:
        return
    named = [" and ".join(map(str, some)) for some in (of_target, of_group)]
    lowest = min(of_target[0], of_group[0])
    # The standard error falls with the root of the number of registers.
    coarser = 2 ** ((of_group[0] - lowest) / 2)
    cost = f"errors are up to {coarser:.2g} times those of the group's own" if coarser > 1 else "as precise as the group's own"
    where = f"both are united and compared at {lowest}"
    yield f"{change.label}: its sketches have lgK {named[0]}, the group's {named[1]}; {where}, {cost}"


def _of_members(paths: ScenarioPaths) -> Iterator[str]:
    """Who else comes or leaves by the changes, and products that begin after the base month."""
    baseline = paths.baseline
    last = paths.month(paths.definition.horizon)
    if moved := paths.moved_by_manifests():
        yield f"by the manifests themselves, without a change of the scenario, these products count no longer or newly by {moved}"
    for place in range(len(paths.changes)):
        came, left = paths.members_moved(place)
        if left:
            yield f"{paths.names[place]}: no longer counted then: {', '.join(left)}"
        if came:
            yield f"{paths.names[place]}: counted from then on: {', '.join(came)}"
    new = sorted(str(ref) for ref, product in baseline.group.products.items() if paths.month(1) <= product.from_ <= last)
    if new:
        yield f"not in the answer, since they begin after the base month: {', '.join(new[:5])}"
