"""Figures beside what they are to measure, where that is known. Pure."""

from dataclasses import dataclass
from datetime import date

from affiliates.simulation.population import Truth
from pipelines.counting.figure import Figure


@dataclass(frozen=True)
class FigureBesideTruth:
    """A figure beside what it is to measure, in people."""

    month: date
    subject: str
    figure: Figure
    truth: Truth

    @property
    def holds(self) -> bool:
        """Whether the true number lies inside the 95 % interval; a figure without an upper bound holds nothing."""
        upper = self.figure.upper
        return upper is not None and self.figure.lower <= self.truth.people <= upper

    @property
    def error(self) -> float | None:
        """Of the estimate, against what its definition gives on the truth; null where nothing is sketched."""
        return self.figure.estimate / self.truth.apart - 1 if self.figure.estimate and self.truth.apart else None
