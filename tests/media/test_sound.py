"""Sound in the written films: copied where MP4 takes it, coded anew where not, in step, and never the pictures' end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sound_clips import Sound, again, codecs, onsets, samples, write_film

from ddvideo.media import probe

PCM = [
    ("a.avi", Sound("pcm_s16le")),
    ("a.avi", Sound("pcm_u8")),
    ("a.mkv", Sound("pcm_s24le")),
    ("a.mkv", Sound("pcm_s16be", layout="mono")),
    ("a.mov", Sound("pcm_s16be", layout="5.1")),
    ("a.mov", Sound("pcm_s24be", rate=96000)),
    ("a.mkv", Sound("flac", layout="5.1(side)")),
    ("a.mkv", Sound("wavpack")),
    ("a.mkv", Sound("tta")),
]


@pytest.mark.parametrize(("name", "sound"), PCM, ids=lambda value: getattr(value, "codec", value))
def test_lossless(name, sound, tmp_path):
    path = write_film(tmp_path / name, [sound], codec="mpeg4" if name.endswith("avi") else "libx264")
    sink = again(path, tmp_path / "out.mp4")
    print(codecs(tmp_path / "out.mp4"), sink.warnings)
    a, b = samples(path), samples(tmp_path / "out.mp4")
    print(a[1:], b[1:], np.abs(a[0]-b[0]).max(), onsets(tmp_path / "out.mp4"))
LOSSY=[("a.avi", Sound("adpcm_ms", layout="mono")),("a.avi",Sound("adpcm_ima_wav")),("a.asf",Sound("wmav2",options={"b":"128000"})),("a.mkv",Sound("vorbis",options={"strict":"-2"})),("a.mov",Sound("pcm_mulaw",rate=8000,layout="mono")),
("a.avi",Sound("pcm_alaw",rate=11000,layout="mono")),("a.mkv",Sound("mp2")),("a.ts",Sound("aac")),("a.ts",Sound("ac3")),("a.ts",Sound("eac3")),("a.ts",Sound("mp2")),("a.mkv",Sound("libopus")),("a.mkv",Sound("libmp3lame")),("a.mkv",Sound("libmp3lame",rate=11025)),("a.flv",Sound("libmp3lame",rate=44100)),("a.webm",Sound("vorbis",options={"strict":"-2"})),("a.mkv",Sound("aac",layout="5.1")),("a.mkv",Sound("ac3",layout="5.1(side)")),("a.mov",Sound("pcm_s16le",layout="7.1")),("a.mkv",Sound("pcm_s24le",layout="quad")),("a.avi",Sound("pcm_s16le",layout="5.1(side)")),("a.mov",Sound("pcm_s16le",layout="2.1")),("a.mov",Sound("pcm_s24le",layout="6.1"))]
@pytest.mark.parametrize(("name", "sound"), LOSSY, ids=lambda value: getattr(value, "codec", value))
def test_lossy(name, sound, tmp_path):
    c={"avi":"mpeg4","asf":"mpeg4","webm":"libvpx","flv":"flv"}.get(name.split(".")[1],"libx264")
    path = write_film(tmp_path / name, [sound], codec=c)
    for q in ("layer","preview"):
        sink = again(path, tmp_path / "out.mp4",quality=q)
        print(codecs(path),codecs(tmp_path / "out.mp4"), sink.warnings)
        a, b = samples(path), samples(tmp_path / "out.mp4")
        i=probe(path); 
        print(i.start_seconds, a[1:], b[1:], onsets(path), onsets(tmp_path / "out.mp4"))
