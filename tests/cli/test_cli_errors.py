from __future__ import annotations

import errno
import re

import pytest

from ddvideo.cli.main import run
from ddvideo.errors import DecompositionError, InputError, LockedError, OutputError, UsageError

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["segmnt", "a.mp4"], "did you mean 'segment'"),
        (["segment"], "INPUT"),
        (["segment", "a", "--presett", "fast"], "--preset"),
        (["segment", "a", "--preset", "best"], "balanced"),
        (["segment", "a", "--frames", "10"], "A:B"),
        (["segment", "a", "--frames", "5:5"], "no frame"),
        (["segment", "a", "--frames", "-5:9"], "A:B"),
        (["segment", "a", "--frames", "٣:٩"], "A:B"),
        (["segment", "a", "--device", "gpu"], "cuda:N"),
        (["segment", "a", "--device", "cuda:x"], "cuda:N"),
        (["segment", "a", "--format", "webm"], "png"),
        (["segment", "a", "--runner", "threads"], "ray"),
        (["segment", "a", "--address"], "--address"),
        (["segment", "a", "--seed", "-1"], "--seed"),
        (["segment", "a", "--workers", "0"], "--workers"),
        (["probe"], "INPUT"),
        (["probe", "a", "b"], "unexpected"),
    ],
)
def test_wrong_usage_is_two_lines_with_what_to_do_and_code_2(arguments, told, capsys, pipeline):
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ddvideo: error: ")
    assert told in err.splitlines()[0]
    assert re.fullmatch(r"  try 'ddvideo( \w+)? --help'", err.splitlines()[1])
    assert len(err.splitlines()) == 2
    assert not pipeline.called


def test_a_file_in_place_of_a_command_is_told_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").touch()
    assert run(["clip.mp4"]) == 2
    assert "ddvideo segment clip.mp4" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("wrong"), 2),
        (InputError("no video stream in a.mp4"), 3),
        (OutputError("cannot write out: no space left on the device"), 4),
        (LockedError("another run works in out"), 4),
        (DecompositionError("chunk 3 failed"), 5),
        (OSError(errno.ENOSPC, "No space left on device", "out/x"), 4),
        (MemoryError(), 5),
    ],
)
def test_each_error_has_its_exit_code_and_no_traceback(error, code, capsys, pipeline):
    pipeline.errors["a.mp4"] = error
    assert run(["segment", "a.mp4"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ddvideo: error: ")
    assert "Traceback" not in err
    assert len(err.splitlines()) <= 2


def test_a_bug_is_not_hidden(pipeline):
    pipeline.errors["a.mp4"] = KeyError("a bug")
    with pytest.raises(KeyError):
        run(["segment", "a.mp4"])


def test_some_of_several_inputs_failed_is_code_1_and_names_each(capsys, pipeline):
    pipeline.errors["b.mp4"] = InputError("b.mp4: no video stream")
    assert run(["segment", "a.mp4", "b.mp4", "c.mp4"]) == 1
    err = capsys.readouterr().err
    assert "ddvideo: error: b.mp4: no video stream\n" in err
    assert "1 of 3 inputs failed; the other 2 are whole" in err
    assert "a.mp4: done" in err
    assert "c.mp4: done" in err


def test_all_of_several_inputs_failed_is_code_1_too(capsys, pipeline):
    pipeline.errors |= {"a.mp4": InputError("a.mp4: empty"), "b.mp4": OutputError("b: no space")}
    assert run(["-v", "segment", "a.mp4", "b.mp4"]) == 2  # -v belongs to the command
    assert run(["segment", "a.mp4", "b.mp4"]) == 1
    assert "all 2 inputs failed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "a\rb", "a\x9b31m", "\u202egnp.mp4", "\x08\x08"]
)
@pytest.mark.parametrize(
    "arguments",
    [
        ["segment", "{}"],
        ["{}"],
        ["segment", "a", "--device", "{}"],
        ["segment", "a", "--preset", "{}"],
        ["segment", "a", "--frames", "{}"],
        ["segment", "--{}"],
    ],
)
def test_no_control_character_of_an_argument_reaches_the_terminal(name, arguments, capsys, pipeline):
    pipeline.errors[name] = InputError(f"cannot read {name}\nis it a video?")
    assert run([part.format(name) for part in arguments]) in (2, 3)
    out, err = capsys.readouterr()
    assert not CONTROL.search(out + err)
    assert repr(name)[1:5] in err


def test_a_newline_in_a_name_cannot_pose_as_a_message(capsys, pipeline):
    name = "a\nddvideo: done.mp4"
    pipeline.errors[name] = InputError(f"cannot read {name}")
    assert run(["segment", name]) == 3
    assert run(["segment", "a", "--frames", name]) == 2
    err = capsys.readouterr().err
    assert "ddvideo: done" in err
    assert not re.search(r"^ddvideo: done", err, re.MULTILINE)


def test_a_file_with_a_newline_in_place_of_a_command_is_told_in_two_lines(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a\nddvideo: done").touch()
    assert run(["a\nddvideo: done"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_missing_file_is_an_unreadable_input_named_safely(command, tmp_path):
    for sub in ("segment", "probe"):
        done = command(sub, b"gone\x1b[2J\xff.mp4", cwd=tmp_path)
        assert done.returncode == 3, done.stderr
        assert done.stdout == b""
        assert b"gone\\x1b[2J\\xff.mp4" in done.stderr
        assert b"\x1b" not in done.stderr
        assert b"Traceback" not in done.stderr
        assert len(done.stderr.splitlines()) <= 3
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", ["0.8,0.9", "red", "0,0,0", "-1,0,0", "1,2,300", "nan,0.5,0.5"])
def test_an_airlight_that_is_no_colour_is_wrong_usage(value, capsys):
    assert run(["dehaze", "clip.mp4", "--airlight", value]) == 2
    assert f"{value!r} is not a colour" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "airlight"), [("0.8,0.9,1", [0.8, 0.9, 1.0]), ("204,255,51", [0.8, 1.0, 0.2]), ("0,0,1", [0.0, 0.0, 1.0])]
)
def test_an_airlight_counts_to_1_or_to_255(value, airlight, pipeline):
    assert run(["dehaze", "clip.mp4", "--airlight", value]) == 0
    assert pipeline.called["options"] == {"airlight": airlight}
