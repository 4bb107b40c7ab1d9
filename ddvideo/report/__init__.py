"""What a run leaves to look at: ``report.json``, ``report.html``, and the pictures for the preview."""

from __future__ import annotations

from ddvideo.report.data import describe_input, write_report_json
from ddvideo.report.index import write_index
from ddvideo.report.page import render_page, write_report_html
from ddvideo.report.preview import PreviewComposer
from ddvideo.report.thumbnails import Thumbnails

__all__ = [
    "PreviewComposer",
    "Thumbnails",
    "describe_input",
    "render_page",
    "write_index",
    "write_report_html",
    "write_report_json",
]
