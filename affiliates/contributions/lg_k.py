"""When a contribution is refused for its lgK, and when it isn't.

lgK is the logarithm of a sketch's number of registers: a sketch of lgK 21 has 2^21. A row has an lgK three times: in its column
`lg_k`, in its sketch and in its canary. A row is refused where the column differs from the sketch, and where the canary is
coarser than the sketch. Another lgK than the group's is no reason: counting folds finer sketches to coarser ones, and the bounds
get wider. An image with an lgK outside 4 to 21 isn't decoded at all (`affiliates.sketches.image`). An engine that unites
sketches of several lgK loses users; `validation` finds that by the number of distinct users.
"""

from affiliates.errors import Code, Refusal
from affiliates.sketches.registers import Registers


def stated_lg_k_refusal(stated: int, sketch: Registers, subject: str) -> Refusal | None:
    """A refusal where the row's column `lg_k` isn't the sketch's own lgK; else nothing."""
    if sketch.lg_k == stated:
        return None
    return Refusal(
        Code.CONTRIBUTION_SKETCH_INVALID,
        subject,
        "lg_k and the sketch disagree",
        f"{stated} against {sketch.lg_k}",
        "write the sketch's own lg_k",
    )


def canary_lg_k_fault(canary: Registers, lg_k: int) -> str | None:
    """What is wrong with a canary beside a sketch of this lgK; nothing where the canary's lgK is as high.

    A coarser canary was made by another expression than the sketch, and so proves nothing of the sketch's keys.
    """
    if canary.lg_k >= lg_k:
        return None
    return f"its lgK is {canary.lg_k} and its sketch's {lg_k}: make both by one expression"
