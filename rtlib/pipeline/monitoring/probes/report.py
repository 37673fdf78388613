"""Report probe: the Power BI report and its newest export."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from rtlib.bi import PAGES
from rtlib.config import Settings
from rtlib.pipeline import power_bi
from rtlib.records import Observation, Reading, Status


class ReportProbe:
    """Observes the files exported for Power BI."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def look(self) -> Mapping[str, Observation]:
        """The newest export and the size of the report."""
        now, export = datetime.now(UTC), power_bi.last_export(self._settings)
        if export is None:
            idle = Observation(Status.IDLE, "no rows were exported yet; try: rtlib bi export", now)
            return {"powerbi": idle}
        readings = (
            Reading("exported", export.rows, "rows", export.at),
            Reading("pages", len(PAGES), "pages", export.at),
            Reading("visuals", sum(len(page.visuals) for page in PAGES), "visuals", export.at),
        )
        reason = "the report is in powerbi/, and its rows were exported"
        return {"powerbi": Observation(Status.HEALTHY, reason, now, readings)}

    def close(self) -> None:
        """Nothing to close."""
