"""What affiliates hand in, taken as `mauwatch receive` does, and what became of it."""

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from affiliates.manifests.loader import read_group
from pipelines.ingestion import inbox, receive
from pipelines.ingestion.inbox import offer_of
from pipelines.records import Restatement
from pipelines.workflows.receive import Session, publish_received, receive_files
from pipelines.workspace import Workspace
from tests.support.groups import NOW


def take(
    directory: Path, *files: Path, now: datetime = NOW, sender: str | None = None, restated: Restatement | None = None
) -> Session:
    """As `mauwatch receive` does: FILEs, or the inbox; and the months are published."""
    with Workspace(directory, read_group(directory), now) as workspace:
        waiting = inbox.Waiting([offer_of(path, directory) for path in files], [], [])
        if not files:
            accepted, signed = receive.accepted_files(workspace), receive.must_sign(workspace.group)
            waiting = inbox.waiting(directory, time.time() + 100, accepted, signed)
        session = receive_files(workspace, waiting.offers, sender, restated)
        session.left += waiting.left
        session.skipped += waiting.skipped
        publish_received(workspace, session)
        return session


def outcomes(session: Session) -> list[str]:
    """What became of each contribution of the accepted files, in the receipts' words."""
    return [entry["outcome"] for file in session.files for entry in file.contributions]


def why(session: Session) -> str:
    """All refusals of a session, a line each."""
    return "\n".join(str(refusal) for file in session.files for refusal in file.refusals)


def receipt(path: Path) -> dict[str, Any]:
    """The content of the receipt beside a file."""
    content = json.loads(path.with_name(f"{path.name}.receipt.json").read_text())
    assert isinstance(content, dict)
    return content
