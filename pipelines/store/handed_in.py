"""Storing files that were handed in: many in one transaction, each whole or not at all, as if one came after the other."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from affiliates.errors import RefusedError
from pipelines import records
from pipelines.records import AcceptedContribution, Outcome, Period, StoredContribution
from pipelines.store import contribution_rows, erasure_guard, schema, sketches, versions
from pipelines.store.contribution_rows import Rows
from pipelines.store.contributions import Cell, ContributionStore, HandedInFile, Judge, receipt_row
from pipelines.store.erasure_guard import ErasedPeriod


@dataclass(frozen=True)
class FileToStore:
    """A file whose contributions may be stored, if the judge lets them."""

    received: Sequence[AcceptedContribution]
    handed: HandedInFile
    judge: Judge

    @property
    def periods(self) -> set[Period]:
        """The places that the file's contributions take."""
        return {accepted.period for accepted in self.received}


def append_files(
    store: ContributionStore, files: Sequence[FileToStore], known_at: datetime
) -> list[Sequence[Outcome] | RefusedError]:
    """Store the files' contributions and receipts in one transaction; gives each file's outcomes, or why its judge refused it.

    No two files may have a period in common. The judges decide in the same transaction, so that no other receiver or signer slips
    between; a file after another one is judged as if that were stored already. Of a refused file nothing is stored.
    """
    received = [accepted for file in files for accepted in file.received]
    current = store.read_current(received)
    # Packing takes longer than writing: it is done before it is this writer's turn, so that the others needn't wait.
    packed = sketches.pack([new.contribution for new in received if records.differs(new, current.get(new.period))])
    results = list[Sequence[Outcome] | RefusedError]()
    rows = Rows()
    receipts = []
    with store.writing() as connection:
        within = _Within(store.engine, connection, received)
        # Another writer may have changed the current versions since: what now differs is packed, too.
        changed = [new.contribution for new in received if records.differs(new, within.current.get(new.period))]
        packed |= sketches.pack(changed, packed)
        next_id = versions.last_id(connection, schema.contributions) + 1
        for file in files:
            try:
                restated = file.judge(within, within.current)
            except RefusedError as error:
                results.append(error)
                continue
            of_file = contribution_rows.rows(
                file.received, within.current, packed, next_id, known_at, {}, file.handed.sender, restated, within.blocked
            )
            next_id += len(of_file.contributions)
            within.add(file.received, of_file.outcomes)
            rows.add(of_file)
            receipts.append(receipt_row(file.handed, known_at, ()))
            results.append(of_file.outcomes)
        contribution_rows.write(connection, rows, packed)
        if receipts:
            connection.execute(schema.receipts.insert(), receipts)
    return results


class _Within(ContributionStore):
    """The store within the transaction of many files: what each judge asks of the files' days is read once for all of them."""

    def __init__(self, engine: sa.Engine, connection: sa.Connection, received: Sequence[AcceptedContribution]) -> None:
        super().__init__(engine, connection)
        self.current = versions.current(connection, received)
        self.blocked = erasure_guard.blocked(connection, received, self.current)
        self._cells = defaultdict[date, list[Cell]](list)
        for cell in super().read_cells(sorted({accepted.contribution.activity_date for accepted in received})):
            self._cells[cell.activity_date].append(cell)

    def read_cells(self, days: Sequence[date]) -> list[Cell]:
        """The cells of the current contributions whose first days are these, those of earlier files included."""
        return [cell for day in days for cell in self._cells[day]]

    def read_blocked(
        self, received: Sequence[AcceptedContribution], current: Mapping[Period, StoredContribution]
    ) -> dict[Period, ErasedPeriod]:
        """By period, the contributions that may not be stored."""
        return {new.period: self.blocked[new.period] for new in received if new.period in self.blocked}

    def add(self, received: Sequence[AcceptedContribution], outcomes: Sequence[Outcome]) -> None:
        """Take a file's contributions for stored."""
        for accepted, outcome in zip(received, outcomes, strict=True):
            if outcome.kind not in ("new", "replaced"):
                continue
            day = accepted.contribution.activity_date
            others = [cell for cell in self._cells[day] if cell.period != accepted.period]
            self._cells[day] = others + [
                Cell(
                    *accepted.period[:4],
                    part.audience,
                    part.namespace,
                    part.registers.digest(),
                    round(part.registers.bounds().estimate),
                    accepted.next_epoch,
                )
                for part in accepted.contribution.parts
            ]
