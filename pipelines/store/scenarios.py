"""What-if scenarios in the store: kept once, never changed, and seen by their owner and by whom the owner lets see them.

The asker stands in the condition of every query, so a caller that forgets to check sees nothing. Whoever may not see a scenario
gets the refusal that comes for a name that isn't there, word by word: that somebody plans a deal is a secret, too. No refusal
names a scenario. What is kept here is read by nothing else: no figure, alert, ledger entry or view rests on a scenario.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from affiliates.errors import Code, RefusedError, refused
from pipelines.store import schema
from pipelines.store.engine import Store

# A scenario's name is a `Name` of the manifests, so the last slash ends the owner's.
_REFERENCE = re.compile(r"(?:(?P<owner>.+)/)?(?P<name>[a-z0-9][a-z0-9_.-]*)(?:@(?P<version>[0-9]{1,6}))?")


class Reference(NamedTuple):
    """What names a scenario, for one who asks."""

    name: str
    owner: str | None = None
    """None: the asker, else whoever has let the asker see one of that name."""
    version: int | None = None
    """None: the newest that the asker may see."""

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """From `name`, `owner/name`, `name@2` or `owner/name@2`. Raises `RefusedError`, as for a scenario that isn't there."""
        match = _REFERENCE.fullmatch(text)
        if match is None:
            raise unknown()
        return cls(match["name"], match["owner"], int(match["version"]) if match["version"] else None)


@dataclass(frozen=True)
class NewScenario:
    """A scenario that was run: what is kept of it, field by column."""

    owner: str
    name: str
    definition: str
    """JSON: all that the scenario's file says."""
    folder: str
    """From which files that the definition names are found; empty for none."""
    inputs: str
    """JSON."""
    answer: str
    """JSON."""
    program: str


@dataclass(frozen=True)
class KeptScenario:
    """A scenario as it is kept: field by column."""

    id: int
    owner: str
    name: str
    version: int
    definition: str
    folder: str
    inputs: str
    answer: str
    answer_digest: str
    program: str
    known_at: datetime

    def reference(self, person: str) -> str:
        """What names this scenario for a person: unique among all that the person sees."""
        return f"{self.name}@{self.version}" if self.owner == person else f"{self.owner}/{self.name}@{self.version}"


def unknown() -> RefusedError:
    """The refusal for a scenario that isn't there, and for one that the asker may not see."""
    return refused(
        Code.SCENARIO_UNKNOWN,
        "the scenario",
        "there is none of this name that you may see",
        "",
        "see `mauwatch whatif list`, or ask its owner: mauwatch whatif grant",
    )


def keep(store: Store, new: NewScenario, known_at: datetime, again: bool = False) -> KeptScenario:
    """Keep a scenario, and give it with its version; one that is the newest of its name already stays alone, and is given.

    Raises `RefusedError` where the owner keeps another one of this name, unless `again` is said: then it is the next version.
    """
    with store.writing() as connection:
        scenario = schema.scenarios.c
        mine = sa.select(schema.scenarios).where(scenario.owner == new.owner, scenario.name == new.name)
        last = connection.execute(mine.order_by(scenario.version.desc()).limit(1)).mappings().first()
        before = KeptScenario(**last) if last else None
        digest = answer_digest(new.answer)
        if before and (before.inputs, before.answer_digest) == (new.inputs, digest):
            return _whole(before)
        if before and not again:
            raise _kept_already(before, new)
        row = {**vars(new), "version": before.version + 1 if before else 1, "answer_digest": digest, "known_at": known_at}
        number: Any = connection.scalar(schema.scenarios.insert().returning(scenario.id), row)
        return KeptScenario(id=number, **row)


def _kept_already(before: KeptScenario, new: NewScenario) -> RefusedError:
    """The refusal of a scenario whose name the owner's kept one has: why the two differ."""
    when = f"version {before.version} was kept at {before.known_at:%Y-%m-%d %H:%M} UTC"
    next_step = "keep this one as a further version by --again, or only look at it by --no-keep"
    changed = changed_inputs(before, new.inputs, new.program)
    if DEFINITION in changed:
        rule = "one of this name is kept with another definition, and what was run is never changed"
        return refused(Code.SCENARIO_KEPT, "the scenario", rule, when, f"give it another name, {next_step}")
    rule = "it is kept, and what it rests on has changed since"
    return refused(Code.SCENARIO_INPUTS_CHANGED, "the scenario", rule, f"{when}; other now: {', '.join(changed)}", next_step)


DEFINITION = "the definition"
_INPUTS = {
    "definition": DEFINITION,
    "figure": "the group's figures of the base month",
    "joining": "the contributions of products that join",
    "manifests": "the group's manifests",
    "series": "the group's published months",
    "registry": "the licences",
    "contributions": "a contribution of a target",
    "method": "the way of computing",
}
"""What the keys of a scenario's inputs mean, for a sentence."""


def changed_inputs(kept: KeptScenario, inputs: str, program: str) -> list[str]:
    """What of all that a kept scenario rests on is another one now, in words; `inputs` and `program` are today's."""
    before: dict[str, Any] = json.loads(kept.inputs)
    now: dict[str, Any] = json.loads(inputs)
    # In the order of the sentence, then whatever a later version adds.
    keys = [*_INPUTS, *(key for key in {**before, **now} if key not in _INPUTS)]
    changed = [_INPUTS.get(key, key) for key in keys if before.get(key) != now.get(key)]
    return changed or ([f"mauwatch ({kept.program}, now {program})"] if kept.program != program else [])


def answer_digest(answer: str) -> str:
    """SHA-256 of an answer's text, in hex."""
    return hashlib.sha256(answer.encode()).hexdigest()


def listed(store: Store, person: str) -> list[KeptScenario]:
    """All scenarios that a person may see: the newest first."""
    scenario = schema.scenarios.c
    with store.reading() as connection:
        rows = connection.execute(sa.select(schema.scenarios).where(_seen_by(person)).order_by(scenario.id.desc())).mappings()
        return [_whole(KeptScenario(**row)) for row in rows]


def read(store: Store, person: str, wanted: Reference) -> KeptScenario:
    """One scenario that a person may see: the person's own, else the one that somebody lets the person see.

    Raises `RefusedError` for none, and where several people let the person see one of this name.
    """
    return _whole(_newest(_matching(store, person, wanted)))


def read_number(store: Store, person: str, number: int) -> KeptScenario:
    """One scenario by its number in the store, where the person may see it. Raises `RefusedError` as `read`."""
    wanted = sa.select(schema.scenarios).where(_seen_by(person), schema.scenarios.c.id == number)
    with store.reading() as connection:
        row = connection.execute(wanted).mappings().first()
    if row is None:
        raise unknown()
    return _whole(KeptScenario(**row))


def newest_of(store: Store, person: str, name: str) -> KeptScenario | None:
    """The newest version of a person's own scenario; None where the person has none of this name."""
    own = [kept for kept in _matching(store, person, Reference(name, person)) if kept.owner == person]
    return _whole(_newest(own)) if own else None


def shared_with(store: Store, person: str, kept: KeptScenario) -> list[str]:
    """Who may see a scenario beside its owner, by name, as far as the person is its owner."""
    access = schema.scenario_access.c
    wanted = (
        sa.select(access.person)
        .join(schema.scenarios, schema.scenarios.c.id == access.scenario)
        .where(schema.scenarios.c.owner == person, access.scenario == kept.id, *_in_force())
        .order_by(access.person)
    )
    with store.reading() as connection:
        return list(connection.scalars(wanted))


def grant(store: Store, owner: str, wanted: Reference, person: str, known_at: datetime) -> KeptScenario:
    """Let a person see one version of a scenario: the one that is named, else the newest. Gives that version.

    Later versions stay unseen. Raises `RefusedError`, also where the scenario is somebody else's.
    """
    with store.writing() as connection:
        kept = _newest(_own(Store(store.engine, connection, writes=True), owner, wanted))
        _note(connection, [kept], owner, person, known_at, revoked=False)
    return kept


def revoke(store: Store, owner: str, wanted: Reference, person: str, known_at: datetime) -> list[KeptScenario]:
    """Let a person no longer see a scenario: the version that is named, else all of them. Gives the versions that were seen.

    Raises `RefusedError`, also where the scenario is somebody else's.
    """
    with store.writing() as connection:
        inside = Store(store.engine, connection, writes=True)
        seen = [kept for kept in _own(inside, owner, wanted) if person in shared_with(inside, owner, kept)]
        _note(connection, seen, owner, person, known_at, revoked=True)
    return seen


def _note(
    connection: sa.Connection, scenarios: Sequence[KeptScenario], owner: str, person: str, known_at: datetime, revoked: bool
) -> None:
    rows = [
        {"scenario": kept.id, "person": person, "granted_by": owner, "revoked": revoked, "known_at": known_at}
        for kept in scenarios
    ]
    if rows:
        connection.execute(schema.scenario_access.insert(), rows)


def _in_force() -> tuple[sa.ColumnElement[bool], ...]:
    """The rows of `scenario_access` by which somebody sees a scenario now: the last one of a scenario and a person counts."""
    access = schema.scenario_access.c
    return access.id.in_(schema.current(schema.scenario_access, "scenario", "person")), access.revoked.is_(False)


def _seen_by(person: str) -> sa.ColumnElement[bool]:
    """The condition that stands in every query of scenarios: the person's own, and those that the person may see."""
    access = schema.scenario_access.c
    granted = sa.select(access.scenario).where(access.person == person, *_in_force())
    return sa.or_(schema.scenarios.c.owner == person, schema.scenarios.c.id.in_(granted))


def _matching(store: Store, person: str, wanted: Reference) -> list[KeptScenario]:
    """The scenarios of a name that a person may see, in the order in which they were kept."""
    scenario = schema.scenarios.c
    conditions = [_seen_by(person), scenario.name == wanted.name]
    conditions += [scenario.owner == wanted.owner] if wanted.owner is not None else []
    conditions += [scenario.version == wanted.version] if wanted.version is not None else []
    with store.reading() as connection:
        rows = connection.execute(sa.select(schema.scenarios).where(*conditions).order_by(scenario.id)).mappings()
        kept = [KeptScenario(**row) for row in rows]
    # A person's own come before others of the name.
    return [one for one in kept if one.owner == person] or kept


def _newest(kept: Sequence[KeptScenario]) -> KeptScenario:
    """The last version. Raises `RefusedError` for none, and for those of several owners."""
    if not kept:
        raise unknown()
    if len(owners := sorted({one.owner for one in kept})) > 1:
        raise refused(
            Code.SCENARIO_UNKNOWN,
            "the scenario",
            "several people let you see one of this name",
            ", ".join(owners),
            "name it with its owner, as OWNER/NAME",
        )
    return max(kept, key=lambda one: one.version)


def _own(store: Store, owner: str, wanted: Reference) -> list[KeptScenario]:
    """The versions of an own scenario. Raises `RefusedError` where there is none, and where the asker may see it only."""
    kept = _matching(store, owner, wanted)
    if not kept:
        raise unknown()
    if own := [one for one in kept if one.owner == owner]:
        return own
    raise refused(
        Code.SCENARIO_NOT_YOURS,
        "the scenario",
        "only its owner says who may see it",
        f"its owner is {_newest(kept).owner}",
        "ask its owner",
    )


def _whole(kept: KeptScenario) -> KeptScenario:
    """The scenario as it is, once its answer is what its digest says. Raises `RefusedError`."""
    if answer_digest(kept.answer) != kept.answer_digest:
        raise refused(
            Code.STORE_DAMAGED,
            f"scenario {kept.id}",
            "its answer isn't what its digest says",
            "",
            "restore the store's backup, or run the scenario again by --again",
        )
    return kept
