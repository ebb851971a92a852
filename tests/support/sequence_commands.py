"""What people call in a random sequence: mauwatch's commands, and a look at the figure after each."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from affiliates.aggregation.availability import periods_present
from affiliates.aggregation.contribute import EdgeContext, contribute
from affiliates.contributions import contract
from affiliates.crosswalks.snapshot import Snapshots
from affiliates.errors import RefusedError
from affiliates.identity.keyring import Keyring
from affiliates.manifests.loader import read_group
from affiliates.manifests.product import ProductRef
from affiliates.sources import resolve
from dashboards.cli.commands.erase import publish_after_erasure
from pipelines.figures import query
from pipelines.ingestion import inbox, receive
from pipelines.records import Restatement
from pipelines.store import contributions, erasure
from pipelines.workflows.close import Signature, close_month
from pipelines.workflows.receive import publish_received, receive_files
from pipelines.workflows.run import run
from pipelines.workspace import Workspace
from tests.support.sequence_world import AFFILIATES, APP, DAYS, MONTH, STATE, UNSURE, WEB, World


@dataclass(frozen=True)
class Outcome:
    """What a sequence came to."""

    seed: int
    steps: tuple[str, ...]
    truth: int
    """People who used a product in the month."""
    estimate: int | None
    complete: bool
    words: tuple[str, ...]
    """What the last commands said that isn't clean: refusals, findings, reasons of the figure."""
    faults: tuple[str, ...] = ()
    """Steps after which a complete figure lay below the truth, and nobody said anything: signed, or shown."""

    @property
    def kind(self) -> str:
        """How the figure lies to the truth, and whether anything was said."""
        estimate = self.estimate
        lies = "none" if estimate is None else "low" if estimate < self.truth - UNSURE else "high"
        if estimate is not None and abs(estimate - self.truth) <= UNSURE:
            lies = "right"
        return f"{'complete' if self.complete else 'open'}, {lies}, {'told' if self.words else 'silent'}"

    @property
    def silently_low(self) -> bool:
        """Whether a complete figure lies below the truth, and nobody said anything; or did so on the way."""
        is_low = self.estimate is not None and self.estimate < self.truth - UNSURE
        return bool(self.faults) or (self.complete and not self.words and is_low)


def run_centre(world: World, first: date | None = None, last: date | None = None) -> list[str]:
    """`mauwatch run`; what wasn't clean, in its words."""
    mine = [cell for cell in world.asked_for() if cell[0] == APP]
    world.computed |= {(*cell, world.clock): people for cell in mine if (people := world.kept[cell])}
    try:
        report = run(world.centre, read_group(world.centre), world.clock, first, last)
    except RefusedError as error:
        return [str(error)]
    words = [str(refusal) for of_product in report.products for refusal in of_product.refusals]
    words += [f"{of_product.name} lacks {len(of_product.missing)} days" for of_product in report.products if of_product.missing]
    words += [str(finding) for finding in report.findings]
    world.note_known()
    _look(world, words)
    return words


def hand_in(world: World, name: str, restates: bool = False, product: str = WEB) -> list[str]:
    """`mauwatch contribute` at a product's edge, and `mauwatch receive` of what lies in the inbox."""
    affiliate = AFFILIATES[product]
    path = world.centre / STATE / "inbox" / affiliate / name
    path.parent.mkdir(parents=True, exist_ok=True)
    at = world.now + world.edge_skew
    try:
        group = read_group(world.edge, edge=True)
        ref = ProductRef(affiliate, product)
        of_edge = group.products[ref]
        settings = group.settings
        keys = Keyring(settings, world.edge)
        context = EdgeContext(world.edge, settings, keys, Snapshots(settings, world.edge, keys), at)
        sources = resolve.find(str(ref), of_edge, world.edge, "UTC")
        periods = periods_present(sources, of_edge, of_edge.days_due(MONTH, DAYS[-1], "UTC"), "UTC", at)
        if periods:
            made = [c for batch in contribute(ref, of_edge, sources, periods, context) for c in batch]
            contract.write(path, made)
            mine = {cell: people for cell, people in world.kept.items() if cell[0] == product and people is not None}
            days = {day for of_period in periods.values() for day in of_period}
            held = {cell: set(people) for cell, people in mine.items() if cell[1] in days}
            world.handed_in[f"{affiliate}/{name}"] = held
            world.computed |= {(*cell, at): people for cell, people in held.items()}
            stamp = world.now.timestamp() - 600
            os.utime(path, (stamp, stamp))
    except RefusedError as error:
        return [str(error)]
    return receive_all(world, restates)


def hand_in_damaged(world: World) -> list[str]:
    """A file that was cut off on its way."""
    path = world.centre / STATE / "inbox" / AFFILIATES[WEB] / f"cut-{len(world.steps)}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"PAR1" + bytes(400))
    stamp = world.now.timestamp() - 600
    os.utime(path, (stamp, stamp))
    return receive_all(world)


def receive_all(world: World, restates: bool = False) -> list[str]:
    """`mauwatch receive`; what wasn't clean, in its words."""
    restatement = Restatement("Head of Data", "late events") if restates else None
    try:
        with Workspace(world.centre, read_group(world.centre), world.clock) as workspace:
            accepted, signed = receive.accepted_files(workspace), receive.must_sign(workspace.group)
            offers, left, _ = inbox.waiting(world.centre, world.clock.timestamp(), accepted, signed)
            session = receive_files(workspace, offers, None, restatement)
            publish_received(workspace, session)
    except RefusedError as error:
        return [str(error)]
    words = [str(refusal) for file in session.files for refusal in file.refusals]
    words += [str(of_file) for of_file in left]
    words += [str(finding) for finding in [*session.undecided, *session.report.findings]]
    world.note_known()
    return words


def close(world: World, despite: str | None = None, restates: str | None = None) -> None:
    """`mauwatch close`."""
    try:
        with Workspace(world.centre, read_group(world.centre), world.clock) as workspace:
            measured = close_month(workspace, MONTH, Signature("Head of Finance", despite, restates))
    except RefusedError:
        return
    known = len(world.known_people())
    groups = [figures.group for figures in measured.values()]
    low = [figure for figure in groups if figure.estimate is not None and figure.estimate < known - UNSURE]
    if despite is None and any(figure.complete for figure in low):
        world.faults.append(f"{world.steps[-1]}: signed {low[0].estimate} of {known} people")


def erase(world: World, product: str, days: Sequence[date], allow_again: bool = False) -> None:
    """`mauwatch erase AFFILIATE/PRODUCT --from DAY --to DAY`, with or without `--allow-again`."""
    scope = erasure.Scope(affiliate=AFFILIATES[product], product=product, first_day=days[0], last_day=days[-1])
    order = erasure.Order("DPO", "by request")
    try:
        group = read_group(world.centre)
        with contributions.open_store(group.settings.store, world.centre) as store:
            if allow_again:
                erasure.allow_again(store, scope, order, world.clock)
            else:
                planned = erasure.erase(store, scope, order, world.clock)
                publish_after_erasure(store, world.centre, group, sorted(planned.months), world.clock)
    except RefusedError:
        return


def figure_of(world: World) -> tuple[int | None, bool, list[str]]:
    """`mauwatch measure`: estimate, whether it is complete, and what is said beside it; nothing where it is refused."""
    try:
        group = read_group(world.centre)
        with contributions.open_store(group.settings.store, world.centre) as store:
            measured, publication = query.figures_of_month(store, group, MONTH, group.readings.readings[0])
    except RefusedError as error:
        return None, False, [str(error)]
    despite = [f"signed although: {publication.despite}"] if publication and publication.despite else []
    return measured.group.estimate, measured.group.complete, [*measured.group.reasons, *despite]


def _look(world: World, words: Sequence[str]) -> None:
    """Look at the figure after a run: complete, below what was counted once, and nobody says anything, is a fault at any time."""
    estimate, complete, reasons = figure_of(world)
    known = len(world.known_people())
    if complete and estimate is not None and estimate < known - UNSURE and not [*words, *reasons]:
        world.faults.append(f"{world.steps[-1] if world.steps else 'first'}: shown {estimate} of {known} people")


def last_look(world: World) -> Outcome:
    """Hand in, run twice with the right clocks three weeks later, and look: what is said must be said again, not once."""
    world.skew = world.edge_skew = timedelta()
    world.now += timedelta(21)
    hand_in(world, "last.parquet")
    run_centre(world)
    world.now += timedelta(hours=12)
    words = [*receive_all(world), *run_centre(world)]
    estimate, complete, reasons = figure_of(world)
    return Outcome(world.seed, tuple(world.steps), world.truth, estimate, complete, (*words, *reasons), tuple(world.faults))
