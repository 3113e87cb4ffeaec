"""The report: one self-contained HTML page that tells the whole truth about a run."""

from __future__ import annotations

from glyphlab.evaluation.report.write import report, report_path, write_report

__all__ = ["report", "report_path", "write_report"]
