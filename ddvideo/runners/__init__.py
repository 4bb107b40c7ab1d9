"""Runners: who carries out the jobs of a run. Results are on disk, so that a job can be lost and done again."""

from __future__ import annotations

from ddvideo.runners.base import Execute, JobsFailedError, Outcome, Record, Runner, is_final, jobs_failed, reason_of
from ddvideo.runners.inprocess import InProcessRunner
from ddvideo.runners.ray_runner import RayRunner

__all__ = [
    "Execute",
    "InProcessRunner",
    "JobsFailedError",
    "Outcome",
    "RayRunner",
    "Record",
    "Runner",
    "is_final",
    "jobs_failed",
    "reason_of",
]
