from __future__ import annotations

import errno
import fcntl
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddvideo.config import Settings
from ddvideo.errors import DecompositionError, LockedError, OutputError, ShapeError
from ddvideo.store import (
    ChunkWriter,
    FolderLock,
    LayerReader,
    RunFolder,
    RunState,
    atomic_file,
    identity,
    input_sha256,
    load_chunk_record,
    plain_name,
    result_names,
    run_identity,
    safe_stem,
    save_record,
    write_json,
)
from ddvideo.types import Chunk, PriorRecord, Shot

CHUNK = Chunk(3, 0, 10, 14)


def layers_of(chunk, seed=0):
    rng = np.random.default_rng(seed)
    return [
        {"alpha": rng.random((6, 5), np.float32), "foreground": rng.random((6, 5, 3), np.float32)}
        for _ in range(chunk.frames)
    ]


def write_chunk(folder, chunk=CHUNK, seed=0, dtype="uint8"):
    with ChunkWriter(folder, chunk, dtype=dtype) as writer:
        for layers in layers_of(chunk, seed):
            writer.append(layers)
        return writer.finish(steps=7, seconds=1.5, loss=0.25, timings_seconds={"fit": 1.0}, warnings=["hm"])


@pytest.mark.parametrize(("dtype", "step"), [("uint8", 1 / 255), ("uint16", 1 / 65535)])
def test_layers_come_back_as_written(tmp_path, dtype, step):
    record = write_chunk(tmp_path, dtype=dtype)
    assert load_chunk_record(tmp_path, CHUNK) == record
    for name, channels in (("alpha", 1), ("foreground", 3)):
        reader = LayerReader(tmp_path / record.files[name], CHUNK.frames)
        assert reader.shape == (6, 5, channels)
        for i in reversed(range(CHUNK.frames)):
            wanted = layers_of(CHUNK)[i][name].reshape(6, 5, channels)
            assert np.abs(reader.frame(i) - wanted).max() <= step * 0.51
        reader.close()
        whole = np.load(tmp_path / record.files[name], allow_pickle=False)
        assert whole.shape == (4, 6, 5, channels)


def test_no_file_shows_before_finish_and_none_stays_after_an_error(tmp_path):
    def write_and_fail():
        with ChunkWriter(tmp_path, CHUNK) as writer:
            for layers in layers_of(CHUNK):
                writer.append(layers)
            names = [path.name for path in tmp_path.iterdir()]
            assert len(names) == 2
            assert all(name.endswith(".part") for name in names)
            assert load_chunk_record(tmp_path, CHUNK) is None
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert list(tmp_path.iterdir()) == []


def test_a_chunk_with_nan_missing_frames_or_other_shapes_is_refused(tmp_path):
    with ChunkWriter(tmp_path, CHUNK) as writer, pytest.raises(DecompositionError, match="NaN"):
        writer.append({"alpha": np.full((2, 2), np.nan, np.float32)})
    with ChunkWriter(tmp_path, CHUNK) as writer:
        writer.append({"alpha": np.zeros((2, 2), np.float32)})
        with pytest.raises(ShapeError):
            writer.append({"alpha": np.zeros((2, 3), np.float32)})
        with pytest.raises(ShapeError):
            writer.append({"beta": np.zeros((2, 2), np.float32)})
        with pytest.raises(ShapeError, match="4 frames, but 1 came"):
            writer.finish(steps=1, seconds=1, loss=0)


def test_a_damaged_chunk_is_absent(tmp_path):
    record = write_chunk(tmp_path)
    path = tmp_path / record.files["alpha"]
    good = path.read_bytes()
    for bad in (good[:-1], good[:100], b"", good[:-1] + bytes([good[-1] ^ 1]), good + b"\0"):
        path.write_bytes(bad)
        assert load_chunk_record(tmp_path, CHUNK) is None
        if len(bad) != len(good):
            with pytest.raises(DecompositionError, match="damaged"):
                LayerReader(path, CHUNK.frames)
    path.unlink()
    assert load_chunk_record(tmp_path, CHUNK) is None
    path.write_bytes(good)
    assert load_chunk_record(tmp_path, CHUNK) == record
    assert load_chunk_record(tmp_path, Chunk(3, 0, 10, 15)) is None, "other frames are another chunk"


def test_nothing_is_unpickled(tmp_path):
    path = tmp_path / "evil.npy"
    np.save(path, np.array([{"a": 1}] * 4, dtype=object), allow_pickle=True)
    with pytest.raises(DecompositionError, match="damaged"):
        LayerReader(path, 4)


@pytest.mark.parametrize("name", ["../secret.npy", "/etc/hostname", "a/b.npy", ".hidden", "", "..", 7, None])
def test_a_hostile_record_cannot_leave_the_folder(tmp_path, name):
    (tmp_path / "work").mkdir()
    record = write_chunk(tmp_path / "work")
    good = (tmp_path / "work" / record.files["alpha"]).read_bytes()
    (tmp_path / "work" / "a").mkdir()
    for place in ("secret.npy", "work/a/b.npy", "work/.hidden"):
        (tmp_path / place).write_bytes(good)
    path = tmp_path / "work" / "chunk-0003.json"
    data = json.loads(path.read_text())
    data["files"]["alpha"] = name
    path.write_text(json.dumps(data))
    assert load_chunk_record(tmp_path / "work", CHUNK) is None
    assert record.files["alpha"].startswith("chunk-0003-alpha-")
    with pytest.raises(OutputError):
        plain_name(name)


@given(st.text(min_size=1, max_size=300).filter(lambda text: "\0" not in text))
def test_no_input_name_leaves_the_result_folder(name):
    stem = safe_stem(Path(name))
    assert stem
    assert Path("out", stem).parts == ("out", stem)
    assert stem != ".."
    assert not stem.startswith(".")
    assert len(stem.encode()) <= 120


def test_equal_stems_do_not_collide(tmp_path):
    names = ["a/clip.mp4", "b/clip.mp4", "clip-2.mov", "CLIP.avi", "other.png", "clip.tar.mp4"]
    assert result_names([Path(name) for name in names]) == ["clip", "clip-3", "clip-2", "CLIP-4", "other", "clip.tar"]
    folder = tmp_path / "frames.v2"
    folder.mkdir()
    assert result_names([folder]) == ["frames.v2"]


def test_an_atomic_file_is_whole_or_absent(tmp_path):
    path = tmp_path / "x"
    path.write_text("old")

    def write_and_stop():
        with atomic_file(path) as file:
            file.write(b"ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_stop()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with atomic_file(path) as file:
        file.write(b"new")
    assert path.read_text() == "new"


def test_no_space_and_no_permission_are_output_errors(tmp_path):
    with pytest.raises(OutputError, match="no space left"), atomic_file(tmp_path / "x"):
        raise OSError(28, "No space left on device")
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputError, match="a file lies where a folder is needed"),
        RunFolder(tmp_path / "file" / "clip"),
    ):
        pass


def test_state_comes_back_and_another_identity_starts_anew(tmp_path):
    with RunFolder(tmp_path / "clip") as folder:
        state = folder.begin("one")
        assert state == RunState(identity="one")
        write_chunk(folder.work)
        folder.save_state(RunState(identity="one", shots=(Shot(0, 14),), failures={"chunk-0004": "bad"}))
    with RunFolder(tmp_path / "clip") as folder:
        state = folder.begin("one")
        assert state.shots == (Shot(0, 14),)
        assert state.failures == {"chunk-0004": "bad"}
        assert folder.chunk_record(CHUNK) is not None
        assert folder.begin("two") == RunState(identity="two")
        assert folder.chunk_record(CHUNK) is None
        write_chunk(folder.work)
        folder.begin("two", fresh=True)
        assert folder.chunk_record(CHUNK) is None
        (folder.work / "state.json").write_text('{"identity": "two", "shots": [{"start": 5, "stop": 2}]}')
        assert folder.begin("two") == RunState(identity="two")


def test_leftovers_of_a_killed_writer_go_and_finished_files_stay(tmp_path):
    with RunFolder(tmp_path / "clip") as folder:
        folder.begin("one")
        record = write_chunk(folder.work)
        (folder.work / "prior-0000.safetensors").write_bytes(b"w")
        for name in (
            "chunk-0004-alpha.npy.0123abcd.part",
            "chunk-0003-alpha-000000000000.npy",
            "state.json.89abcdef.part",
        ):
            (folder.work / name).write_bytes(b"half")
        folder.begin("one")
        left = {path.name for path in folder.work.iterdir()}
    assert left == {"lock", "state.json", "chunk-0003.json", "prior-0000.safetensors", *record.files.values()}


def test_a_prior_counts_only_with_its_hash(tmp_path):
    import hashlib

    with RunFolder(tmp_path / "clip") as folder:
        folder.begin("one")
        (folder.work / "prior-0002.safetensors").write_bytes(b"weights")
        record = PriorRecord(
            shot_index=2,
            file="prior-0002.safetensors",
            sha256=hashlib.sha256(b"weights").hexdigest(),
            steps=1,
            seconds=1.0,
        )
        assert folder.prior_record(2) is None
        save_record(folder.work, record)
        assert folder.prior_record(2) == record
        assert folder.prior_record(1) is None
        (folder.work / "prior-0002.safetensors").write_bytes(b"weightz")
        assert folder.prior_record(2) is None


def test_clean_up_removes_all_and_can_be_finished_after_a_kill(tmp_path, monkeypatch):
    with RunFolder(tmp_path / "clip") as folder:
        state = folder.begin("one")
        write_chunk(folder.work)
        with monkeypatch.context() as patch:
            patch.setattr(RunFolder, "_empty", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                folder.clean_up(state)
    with RunFolder(tmp_path / "clip") as folder:
        state = folder.begin("one")
        assert state.cleaning
        folder.clean_up(state)
        assert not folder.work.exists()


def test_the_lock_keeps_a_second_run_out_and_dies_with_its_process(tmp_path):
    code = "import sys, time; from pathlib import Path; from ddvideo.store import RunFolder\n"
    code += "with RunFolder(Path(sys.argv[1])): print('in', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "clip")], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "in\n"
        with pytest.raises(LockedError, match=f"process {holder.pid} on "), RunFolder(tmp_path / "clip"):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with RunFolder(tmp_path / "clip"):
            pass


def test_a_lock_whose_file_was_removed_is_taken_again(tmp_path):
    first = RunFolder(tmp_path / "clip")
    with first:
        first.clean_up(first.begin("one"))
        with RunFolder(tmp_path / "clip") as second:
            assert second.begin("two").identity == "two"
            with pytest.raises(LockedError), RunFolder(tmp_path / "clip"):
                pass


def test_a_lock_that_is_removed_while_it_is_waited_for_is_not_believed(tmp_path, monkeypatch):
    path = tmp_path / "lock"
    path.write_text("")
    flock = fcntl.flock

    def remove_first(descriptor, how):
        path.unlink()  # what the former holder does at its end, between our open and our lock
        monkeypatch.setattr(fcntl, "flock", flock)
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    with FolderLock(path):
        assert path.exists()
        with pytest.raises(LockedError), FolderLock(path):
            pass


def test_a_file_system_without_locks_is_told_and_used(tmp_path, monkeypatch, caplog):
    def unsupported(descriptor, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with FolderLock(tmp_path / "lock") as lock:
        assert lock.held
    assert "no locks" in caplog.text


def test_a_linked_work_folder_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / ".work").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="link"), RunFolder(tmp_path / "clip"):
        pass


def test_identity_follows_what_decides_the_layers(tmp_path):
    facts = {
        "sha256": "ab",
        "settings": Settings(task="segment"),
        "frames": (0, 9),
        "layers": [("alpha", 1)],
        "dtype": "uint8",
    }
    first = run_identity(**facts)
    assert run_identity(**facts | {"settings": Settings(task="segment", threads=7)}) == first
    for change in (
        {"sha256": "cd"},
        {"settings": Settings(task="segment", seed=1)},
        {"settings": Settings(task="segment", options={"steps": 2})},
        {"frames": (0, 8)},
        {"layers": [("alpha", 3)]},
        {"dtype": "uint16"},
    ):
        assert run_identity(**facts | change) != first


def test_changed_code_is_another_identity(monkeypatch):
    facts = {"sha256": "ab", "settings": Settings(task="segment"), "frames": (0, 9), "layers": [], "dtype": "uint8"}
    first = run_identity(**facts)
    identity.code_sha256.cache_clear()
    monkeypatch.setattr(identity, "_FITTING", ("media",))
    assert run_identity(**facts) != first
    identity.code_sha256.cache_clear()


def test_the_hash_of_a_folder_follows_names_and_contents(tmp_path):
    for name in ("0.png", "1.png"):
        (tmp_path / name).write_text(name)
    first = input_sha256(tmp_path)
    (tmp_path / "1.png").rename(tmp_path / "2.png")
    second = input_sha256(tmp_path)
    (tmp_path / "0.png").write_text("?")
    assert len({first, second, input_sha256(tmp_path)}) == 3


def test_json_without_nan(tmp_path):
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []
