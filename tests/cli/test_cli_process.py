"""The command as a process: signals, closed and full standard streams, odd locales."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SLOW_PIPELINE = """
import sys, time, types
from ddvideo.types import ProgressEvent

def decompose(inputs, *, progress, **_):
    progress(ProgressEvent(stage="chunk", shot=0, chunk=0, done=0, total=100, loss=0.5))
    try:
        sys.stderr.write("working\\n")
        sys.stderr.flush()
        time.sleep(60)
    finally:
        sys.stderr.write("cleaned up\\n")

fake = types.ModuleType("ddvideo.pipeline")
fake.decompose = decompose
sys.modules["ddvideo.pipeline"] = fake
from ddvideo.cli.main import main
main()
"""


def start(*arguments: str, python: tuple[str, ...] = ("-m", "ddvideo"), **streams) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | streams.pop("env", {})
    return subprocess.Popen([sys.executable, *python, *arguments], env=environment, **streams)


@pytest.mark.parametrize(
    ("number", "code", "said"), [(signal.SIGINT, 130, b"interrupted"), (signal.SIGTERM, 143, b"terminated")]
)
def test_a_signal_ends_the_work_through_its_clean_up(number, code, said):
    process = start("segment", "a.mp4", python=("-c", SLOW_PIPELINE), stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    for line in process.stderr:
        if b"working" in line:
            break
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert out == b""
    lines = err.splitlines()
    assert lines[0] == b"cleaned up"
    assert lines[1] == b"ddvideo: what is done is kept; the same command goes on from there"
    assert lines[2] == b"ddvideo: " + said
    assert b"Traceback" not in err


@pytest.mark.parametrize("arguments", [["recipes"], ["recipes", "--json"], ["--help"], ["doctor"]])
def test_a_reader_who_has_seen_enough_is_no_error(arguments):
    reading, writing = os.pipe()
    os.close(reading)
    process = start(*arguments, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    _, err = process.communicate(timeout=60)
    assert err == b""
    assert process.returncode == 0


def test_a_full_disk_behind_standard_output_is_code_4():
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("wb") as full:
        process = start("recipes", stdout=full, stderr=subprocess.PIPE)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 4
    assert err.decode().splitlines() == ["ddvideo: error: cannot write standard output: No space left on device"]


@pytest.mark.parametrize(("closing", "code"), [("2>&-", 0), ("<&-", 0), ("2>&- <&-", 0)])
def test_closed_standard_streams_do_not_stop_the_work(closing, code):
    line = f'exec "{sys.executable}" -m ddvideo recipes --json {closing}'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", line], stdout=subprocess.PIPE, timeout=60, check=False, env=environment)
    assert done.returncode == code
    assert done.stdout.startswith(b"[")


def test_a_locale_without_the_characters_gets_escapes(tmp_path):
    process = start(
        "probe",
        "gone-é-\u65e5.mp4",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env={"PYTHONIOENCODING": "ascii"},
    )
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert b"gone-\\xe9-\\u65e5.mp4" in err


def test_on_a_terminal_the_bar_is_gone_when_the_message_comes():
    ours, theirs = pty.openpty()
    process = start(
        "segment",
        "a.mp4",
        python=("-c", SLOW_PIPELINE),
        stderr=theirs,
        stdout=theirs,
        env={"TERM": "xterm", "COLUMNS": "80"},
    )
    os.close(theirs)
    shown, until = b"", time.monotonic() + 30
    sent = False
    while time.monotonic() < until:
        if not select.select([ours], [], [], 1.0)[0]:
            continue
        try:
            data = os.read(ours, 65536)
        except OSError:  # Linux tells the end of a terminal so.
            break
        if not data:
            break
        shown += data
        if b"working" in shown and not sent:
            process.send_signal(signal.SIGINT)
            sent = True
    os.close(ours)
    assert process.wait(timeout=20) == 130
    assert b"fitting shot 0, chunk 0" in shown
    last_line = [part for part in shown.replace(b"\r\n", b"\n").split(b"\n") if part][-1]
    assert last_line.split(b"\r")[-1] == b"ddvideo: interrupted"
    message = shown.index(b"ddvideo: what is done is kept")
    assert shown[:message].endswith(b"\r")
    assert shown[:message].rstrip(b"\r").endswith(b"   ")
