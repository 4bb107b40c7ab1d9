from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest
from click.testing import CliRunner

from ddvideo import __version__
from ddvideo.cli.main import cli

HEAVY = ("torch", "ray", "av", "cv2", "numpy", "scipy", "skimage", "kornia", "scenedetect", "jinja2", "tqdm")
LIST_HEAVY = f"""
import json, sys
from ddvideo.cli.main import run
code = run(sys.argv[1:])
print(json.dumps([code, [name for name in {HEAVY!r} if name in sys.modules]]), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["segment", "--help"], ["dewatermark", "-h"], ["--version"], ["recipes"], ["segmnt"]]
)
def test_help_and_light_commands_import_nothing_heavy(command, arguments):
    done = command(*arguments, python=("-c", LIST_HEAVY))
    code, loaded = json.loads(done.stderr.splitlines()[-1])
    assert loaded == []
    assert code == (2 if arguments == ["segmnt"] else 0)


def test_help_takes_under_half_a_second_of_processor_time(command):
    def seconds() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    spent = []
    for _ in range(3):
        before = seconds()
        assert command("--help").returncode == 0
        spent.append(seconds() - before)
    assert min(spent) < 0.5


def test_help_lists_the_commands_in_order_of_use_and_the_exit_codes():
    shown = CliRunner().invoke(cli, ["--help"]).output
    places = [
        shown.index(f"\n  {name} ")
        for name in ("segment", "separate", "dehaze", "dewatermark", "probe", "recipes", "doctor")
    ]
    assert places == sorted(places)
    assert "130 or 143 interrupted" in shown


@pytest.mark.parametrize(
    "option",
    [
        *("out", "preset", "device", "workers", "runner", "format", "chroma", "frames", "interlaced", "seed"),
        *("fresh", "keep-work", "dry-run", "quiet", "verbose", "json"),
        *("fg-hint", "bg-hint", "box", "hint-frame", "keep-alpha"),
    ],
)
def test_segment_help_names_every_option(option):
    assert f"--{option}" in CliRunner().invoke(cli, ["segment", "-h"]).output


def test_dewatermark_has_options_of_its_own_and_says_what_it_is_for():
    shown = " ".join(CliRunner().invoke(cli, ["dewatermark", "-h"]).output.split())
    assert "--box X,Y,W,H" in shown
    assert "in pixels of the input: left, top, width, height" in shown
    assert "meant for restoring one's own archive" in shown


def test_version_is_that_of_the_package(command):
    assert command("--version").stdout.decode() == f"ddvideo {__version__}\n"


def test_no_command_shows_help_on_standard_error_and_is_wrong_usage(command):
    done = command()
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"Usage: ddvideo" in done.stderr


def test_the_shim_in_the_checkout_does_the_same(command):
    shim = command("recipes", python=(str(Path(__file__).parents[2] / "cli.py"),))
    assert shim.returncode == 0
    assert shim.stdout == command("recipes").stdout
