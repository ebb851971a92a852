"""What affiliates hand in, taken as `mauwatch receive` does, and what became of it."""

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from affiliates.manifests import read_group
from pipelines import inbox, receiving
from pipelines.collect import Centre
from pipelines.inbox import offer_of
from pipelines.receipts import Session
from pipelines.taking import Restated
from tests.support.groups import NOW


def take(
    directory: Path, *files: Path, now: datetime = NOW, sender: str | None = None, restated: Restated | None = None
) -> Session:
    """As `mauwatch receive` does: FILEs, or the inbox; and the months are published."""
    with Centre(directory, read_group(directory), now) as centre:
        offers, left = [offer_of(path, directory) for path in files], list[inbox.Left]()
        if not files:
            offers, left = inbox.waiting(directory, time.time() + 100, receiving.signing(centre))
        session = receiving.receive(centre, offers, sender, restated)
        session.left += left
        receiving.publish(centre, session)
        return session


def outcomes(session: Session) -> list[str]:
    return [told["outcome"] for taken in session.taken for told in taken.contributions]


def why(session: Session) -> str:
    return "\n".join(str(refusal) for taken in session.taken for refusal in taken.refusals)


def receipt(path: Path) -> dict[str, Any]:
    said = json.loads(path.with_name(f"{path.name}.receipt.json").read_text())
    assert isinstance(said, dict)
    return said
