"""What publications rested on when they were published, each looked at once in a run: causes, alerts and forecasts all ask."""

from affiliates.manifests.group import Group
from affiliates.manifests.readings import Reading
from pipelines.counting.inputs import Inputs, gather
from pipelines.figures.comparability import InputsOutline, outline
from pipelines.records import ContributionReader, Position
from pipelines.store.publications import Publication


class PublishedInputs:
    """Outlines of the inputs of publications, by what the store held when each was published, under one state of the manifests.

    What a store held at a position stays as it was, so an outline that was made once holds for the rest of a run. Inputs aren't
    kept: those of thirty years of daily contributions take hundreds of megabytes.
    """

    def __init__(self) -> None:
        self._outlines: dict[object, InputsOutline] = {}

    def note(self, inputs: Inputs, position: Position) -> None:
        """Keep the outline of what is published now, by all that the store has at its position."""
        self._outlines[_settings(inputs.reading, position), inputs.month] = outline(inputs)

    def read(self, reader: ContributionReader, group: Group, reading: Reading, publication: Publication) -> InputsOutline:
        """The outline of a publication's inputs, gathered where no publication with the same ones was asked for."""
        key = _settings(reading, publication.position), publication.month
        if key not in self._outlines:
            self._outlines[key] = outline(gather(reader, group, publication.month, reading, up_to=publication.position))
        return self._outlines[key]


def _settings(reading: Reading, position: Position | None) -> object:
    """All of a reading that decides what a month rests on, and how far the store was filled."""
    return reading.audiences, reading.control_share, position
