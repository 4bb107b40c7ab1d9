from __future__ import annotations

import pytest

from tests.run.batch_fakes import Engine, make_folder, write_clips
from tests.run.run_driver import Runs
from tests.run.run_fakes import write_clip


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """Two shots of moving waves."""
    return write_clip(tmp_path_factory.mktemp("clip") / "waves.mp4")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory, clip):
    """The clip's run by one process that nothing disturbs."""
    runs = Runs(clip, tmp_path_factory.mktemp("undisturbed"))
    code, errors = runs.finish()
    assert code == 0, errors
    return runs


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    return write_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture
def videos(tmp_path, clips):
    """A folder of clips of several lengths."""
    return make_folder(tmp_path / "videos", clips)


@pytest.fixture
def engine():
    return Engine()
