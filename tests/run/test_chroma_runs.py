"""``--chroma`` over a whole run: sizes that come back, one warning, results that are not taken for others."""

from __future__ import annotations

import pytest

from ddvideo import UsageError
from ddvideo.media import probe
from ddvideo.pipeline import decompose
from tests.run.batch_fakes import batch
from tests.run.run_fakes import SEGMENT, SETTINGS, fake_execute, write_clip

ODD = [(67, 49), (66, 49), (67, 48)]


def run(path, out, **more):
    asked = {"task": SEGMENT, "settings": SETTINGS, "execute": fake_execute, "out": out} | more
    (result,) = decompose(path, **asked)
    return result


def odd_clip(folder, size, **facts):
    """A clip of an odd size, which only full chroma keeps."""
    how = {"pix_fmt": "yuv444p"} | facts
    return write_clip(folder / "odd.mp4", 12, cut=6, width=size[0], height=size[1], **how)


@pytest.mark.parametrize("size", ODD)
@pytest.mark.parametrize("facts", [{}, {"bit_depth": 10, "pix_fmt": "yuv444p10le"}])
def test_frames_come_back_in_the_size_of_the_input_and_the_padding_is_told_once(tmp_path, size, facts):
    clip = odd_clip(tmp_path, size, **facts)
    result = run(clip, tmp_path / "out", chroma="420")
    for layer in result.layers.values():
        assert probe(layer.path).width % 2 == probe(layer.path).height % 2 == 0
        assert {frame.shape[:2] for frame in layer.frames()} == {(size[1], size[0])}
    told = [text for text in result.report["warnings"] if "--chroma 444" in text]
    assert len(told) == 1
    assert f"{size[0]}x{size[1]}" in told[0]
    preview = probe(result.folder / "preview.mp4")
    assert (preview.pix_fmt, preview.width % 2, preview.height % 2) == ("yuv420p", 0, 0)
    kept = run(clip, tmp_path / "kept")
    assert kept.report["warnings"] == []
    assert {(probe(layer.path).width, probe(layer.path).height) for layer in kept.layers.values()} == {size}
    assert probe(kept.folder / "preview.mp4").pix_fmt == "yuv420p"


def test_another_chroma_goes_on_with_the_same_chunks_but_takes_no_results_for_its_own(tmp_path, clips, engine):
    (tmp_path / "v").mkdir()
    clip = tmp_path / "v" / "a.mp4"
    clip.write_bytes(clips["short"].read_bytes())
    out = tmp_path / "out"
    batch(tmp_path / "v", out, engine, keep_work=True)
    assert probe(out / "a" / "foreground.mp4").pix_fmt == "yuv420p"
    engine.jobs.clear()
    items = batch(tmp_path / "v", out, engine, keep_work=True, chroma="444")
    assert not items["a.mp4"].was_done
    assert engine.jobs == [], "chunks do not depend on how the results are written"
    assert probe(out / "a" / "foreground.mp4").pix_fmt == "yuv444p"
    assert batch(tmp_path / "v", out, engine, chroma="444")["a.mp4"].was_done
    batch(tmp_path / "v", out, engine)
    assert probe(out / "a" / "foreground.mp4").pix_fmt == "yuv420p"
    assert not batch(tmp_path / "v", out, engine, chroma="420")["a.mp4"].was_done, "it is looked at again"
    engine.jobs.clear()
    written = (out / "a" / "foreground.mp4").stat().st_mtime_ns
    batch(tmp_path / "v", out, engine, chroma="420")
    assert engine.jobs == []
    assert (out / "a" / "foreground.mp4").stat().st_mtime_ns == written, "auto was 4:2:0 already"


def test_a_chroma_that_is_none_is_refused(tmp_path, clips):
    for wrong in ("411", "yuv420p", ""):
        with pytest.raises(UsageError, match="unknown chroma"):
            run(clips["short"], tmp_path / "out", chroma=wrong)
    assert not (tmp_path / "out").exists()
