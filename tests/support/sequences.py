"""Random sequences of what people do to a group directory, beside the truth that they can't change.

`sequence_world` has the directory and the truth, `sequence_commands` what mauwatch does, `sequence_steps` what may happen.
"""

import random
from datetime import timedelta
from pathlib import Path

from tests.support.sequence_commands import Outcome, last_look
from tests.support.sequence_steps import STEPS
from tests.support.sequence_world import World

ALWAYS = "run", "hand in"
CHOSEN = 0.4
"""How often a sequence has a kind of step."""


def play(seed: int, room: Path, length: int = 10) -> Outcome:
    """A sequence of so many steps, always the same for a seed, and what a last look says.

    A sequence has some kinds of steps alone, so that those meet often. Every other one is mended before the look: a figure that
    was said to be wrong has to be right then.
    """
    chance = random.Random(seed)
    chosen = [name for name in STEPS if name in ALWAYS or chance.random() < CHOSEN]
    names = chance.choices(chosen, [STEPS[name][1] for name in chosen], k=length)
    names += ["mended"] * (seed % 2)
    return play_steps(names, room, seed)


def play_steps(names: list[str], room: Path, seed: int = 0) -> Outcome:
    """These steps in this order: what is left of a failing sequence once the steps that don't matter are taken out."""
    world = World(room, seed, random.Random(seed))
    world.begin()
    for name in names:
        world.steps.append(name)
        # No two commands are of one moment.
        world.now += timedelta(minutes=1)
        STEPS[name][0](world)
    return last_look(world)
