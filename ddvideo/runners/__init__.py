"""Runners: who carries out the jobs of a run. One protocol, bounded, retried, resumable."""

from __future__ import annotations

from ddvideo.runners.base import Execute, JobsFailedError, Record, Runner
from ddvideo.runners.inprocess import InProcessRunner

__all__ = ["Execute", "InProcessRunner", "JobsFailedError", "Record", "Runner"]
