from __future__ import annotations

import io
import re

import pytest

from ddvideo.cli.pace import label
from ddvideo.cli.progress import _Lines, make_reporter
from ddvideo.types import ProgressEvent


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")

    def flush(self) -> None:
        raise BrokenPipeError(32, "Broken pipe")


class BrokenTerminal(Broken):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")


def a_run(chunks: int = 3, steps: int = 100):
    yield ProgressEvent(stage="probe", message="clip.mp4")
    yield ProgressEvent(stage="plan", message="looking for cuts", done=90, total=90)
    for step in range(steps + 1):
        yield ProgressEvent(stage="prior", shot=0, done=step, total=steps, loss=1 / (step + 1))
    for chunk in range(chunks):
        for step in range(steps + 1):
            yield ProgressEvent(stage="chunk", shot=0, chunk=chunk, done=step, total=steps, loss=1 / (step + 1))
    for frame in range(90):
        yield ProgressEvent(stage="merge", done=frame + 1, total=90)
    yield ProgressEvent(stage="done", done=90, total=90)


def test_into_a_file_lines_come_now_and_then_and_hold_no_control_characters():
    clock = [0.0]
    stream = io.StringIO()
    with _Lines(stream, clock=lambda: clock[0]) as progress:
        for event in a_run():
            progress(event)
            clock[0] += 0.4
    lines = stream.getvalue().splitlines()
    assert not re.search(r"[^\n\x20-\x7e]", stream.getvalue())
    # 493 events in 197 seconds: 7 beginnings and one line each 15 seconds.
    assert 15 <= len(lines) <= 22
    assert lines[0] == "ddvideo: reading: clip.mp4"
    for begun in ("prior shot 0", "fitting shot 0, chunk 0", "fitting shot 0, chunk 2", "joining and encoding"):
        assert f"ddvideo: {begun}" in lines


def test_a_line_tells_steps_loss_and_time_left():
    clock = [0.0]
    stream = io.StringIO()
    progress = _Lines(stream, clock=lambda: clock[0])
    progress(ProgressEvent(stage="chunk", shot=1, chunk=4, done=0, total=100, loss=1.0))
    clock[0] = 20.0
    progress(ProgressEvent(stage="chunk", shot=1, chunk=4, done=40, total=100, loss=0.0125))
    assert stream.getvalue().splitlines()[-1] == (
        "ddvideo: fitting shot 1, chunk 4: 40 of 100, loss 0.0125, 30.0 s left"
    )


def test_a_line_tells_which_job_of_how_many_and_the_time_left_of_all():
    clock = [0.0]
    stream = io.StringIO()
    progress = _Lines(stream, clock=lambda: clock[0])
    for second in range(0, 40, 2):
        clock[0] = float(second)
        done, step = divmod(second, 20)
        progress(ProgressEvent(stage="chunk", shot=0, chunk=done, done=5 * step, total=100, jobs=4, jobs_done=done))
    assert stream.getvalue().splitlines() == [
        "ddvideo: [1/4] fitting shot 0, chunk 0",
        "ddvideo: [1/4] fitting shot 0, chunk 0: 80 of 100, 4.0 s left, 1 min 04 s in all",
        "ddvideo: [2/4] fitting shot 0, chunk 1",
        "ddvideo: [2/4] fitting shot 0, chunk 1: 80 of 100, 4.0 s left, 44.0 s in all",
    ]


def test_a_second_try_begins_anew():
    clock = [0.0]
    lines, bars = io.StringIO(), make_reporter(quiet=False, stream=Terminal())
    for progress in (_Lines(lines, clock=lambda: clock[0]), bars):
        for done in (*range(0, 90, 10), *range(0, 40, 10)):
            progress(ProgressEvent(stage="chunk", chunk=0, done=done, total=100))
            clock[0] += 10.0
    assert lines.getvalue().splitlines()[-1] == "ddvideo: fitting chunk 0: 30 of 100, 1 min 10 s left"
    assert bars._bar.n == 30
    bars.close()


def test_many_short_chunks_do_not_make_a_line_each():
    stream = io.StringIO()
    progress = _Lines(stream, clock=lambda: 0.0)
    for chunk in range(1000):
        progress(ProgressEvent(stage="chunk", shot=0, chunk=chunk, done=0, total=10))
    assert len(stream.getvalue().splitlines()) == 1


def test_a_pipe_and_a_dumb_terminal_get_lines(monkeypatch):
    pipe, dumb = io.StringIO(), Terminal()
    with make_reporter(quiet=False, stream=pipe) as progress:
        for event in a_run():
            progress(event)
    monkeypatch.setenv("TERM", "dumb")
    with make_reporter(quiet=False, stream=dumb) as progress:
        for event in a_run():
            progress(event)
    for shown in (pipe.getvalue(), dumb.getvalue()):
        assert shown.endswith("\n")
        assert "\r" not in shown
        assert "\x1b" not in shown


def test_a_terminal_gets_a_bar_that_goes_away():
    stream = Terminal()
    with make_reporter(quiet=False, stream=stream) as progress:
        for event in a_run():
            progress(event)
    drawn = stream.getvalue().split("\r")
    assert any("fitting shot 0, chunk 2" in part for part in drawn)
    assert any("joining and encoding" in part for part in drawn)
    assert drawn[-1].strip() == ""
    assert drawn[-2].strip() == ""


def test_a_bar_shows_steps_and_loss(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    progress = make_reporter(quiet=False, stream=stream)
    progress(ProgressEvent(stage="chunk", shot=0, chunk=1, done=0, total=50, loss=0.5))
    monkeypatch.setattr(progress._bar, "mininterval", 0)
    monkeypatch.setattr(progress._bar, "miniters", 0)
    progress(ProgressEvent(stage="chunk", shot=0, chunk=1, done=20, total=50, loss=0.0125))
    progress.close()
    assert any(
        re.search(r" 20/50, \S+ left, loss 0\.0125$", part.rstrip()) for part in re.split(r"[\r\n]", stream.getvalue())
    )


@pytest.mark.parametrize("kind", [Broken, BrokenTerminal])
def test_a_reader_who_leaves_does_not_stop_the_work(kind):
    with make_reporter(quiet=False, stream=kind()) as progress:
        for event in a_run():
            progress(event)


def test_quiet_writes_nothing():
    stream = Terminal()
    with make_reporter(quiet=True, stream=stream) as progress:
        for event in a_run():
            progress(event)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("stream", [Terminal(), io.StringIO()])
def test_hostile_messages_reach_no_terminal(stream):
    with make_reporter(quiet=False, stream=stream) as progress:
        progress(ProgressEvent(stage="probe", message="\x1b]0;owned\x07\x1b[31m.mp4"))
        progress(ProgressEvent(stage="plan", message="{bar} {0} {desc}", done=1, total=2))
    assert "\x1b]0" not in stream.getvalue()
    assert "\x07" not in stream.getvalue()
    assert "\x1b[31m" not in stream.getvalue()


def test_label_counts_from_nought_as_the_report_does():
    assert label(ProgressEvent(stage="chunk", shot=0, chunk=0)) == "fitting shot 0, chunk 0"
