"""Whether the newest events of the group's own sources contradict what group.yaml says of identifiers per person.

Whoever computes a contribution looks at the events anyway. A statement that changes afterwards moves published figures and
computes no contribution: then a first look at each source has to do.
"""

from collections.abc import Collection

from affiliates.aggregation import statement_check
from affiliates.errors import Code, RefusedError, refused_if_unforeseen
from affiliates.manifests.namespaces import ranges_of
from affiliates.sources import resolve
from pipelines.runbook import Finding, Page
from pipelines.workspace import Workspace


def contradicted(workspace: Workspace, left_out: Collection[str] = ()) -> list[Finding]:
    """What the newest events contradict, product by product but for those of `left_out` (affiliate/product)."""
    group = workspace.group
    zone = group.settings.time_zone
    findings = []
    for ref, product in group.products.items() if ranges_of(group.settings.namespaces) else ():
        if product.handed_in or str(ref) in left_out:
            continue
        try:
            with refused_if_unforeseen(str(ref)):
                for source in resolve.find(str(ref), product, workspace.directory, zone):
                    statement_check.check(source, zone, group.settings)
        except RefusedError as error:
            # A source that can't be read is the business of whoever reads it whole.
            pages = {Code.NAMESPACE_CONTRADICTED: Page.NAMESPACE, Code.ERROR_UNFORESEEN: Page.UNFORESEEN}
            findings += [Finding(str(refusal), pages[refusal.code]) for refusal in error.refusals if refusal.code in pages]
    return findings
