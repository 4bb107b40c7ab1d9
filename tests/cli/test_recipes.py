from __future__ import annotations

import pytest

from ddvideo.config import PRESETS
from ddvideo.errors import UsageError
from ddvideo.recipes import available_recipes, load_recipe, parse_recipe, settings_for

GOOD = """
[recipe]
name = "mine"
summary = "What it does."

[[stage]]
task = "segment"

[presets.fast]
working_px = 200
chunk_frames = 32
overlap_frames = 4

[presets.fast.options]
steps = 50
weights = { exclusion = 0.5 }
"""


def test_a_recipe_becomes_settings():
    settings = settings_for(parse_recipe(GOOD, "mine.toml"), "fast", device="cpu", seed=3, threads=2)
    assert (settings.task, settings.preset, settings.device, settings.seed, settings.threads) == (
        "segment", "fast", "cpu", 3, 2,
    )  # fmt: skip
    assert (settings.working_px, settings.chunk_frames, settings.overlap_frames) == (200, 32, 4)
    assert settings.key_frames == 64, "left out: the default of Settings"
    assert settings.options == {"steps": 50, "weights": {"exclusion": 0.5}}


@pytest.mark.parametrize(
    ("change", "to", "told"),
    [
        ("working_px = 200", "workingpx = 200", "[presets.fast]: unknown key 'workingpx'; did you mean 'working_px'?"),
        ("[presets.fast.options]", "[presets.fast.optoins]", "did you mean 'options'?"),
        ("[[stage]]", "[[stages]]", "the file: unknown key 'stages'; did you mean 'stage'?"),
        ("summary =", "sumary =", "[recipe]: unknown key 'sumary'; did you mean 'summary'?"),
        ("[presets.fast]", "[presets.quick]", "[presets]: unknown key 'quick' (known: fast, balanced, quality)"),
        ('name = "mine"', "", "[recipe]: 'name' is missing"),
        ('task = "segment"', "", "[[stage]]: 'task' is missing"),
        ('task = "segment"', "task = 3", "[[stage]] task: a name of small letters"),
        ('name = "mine"', 'name = "../mine"', "[recipe] name: a name of small letters"),
        ("working_px = 200", 'working_px = "200"', "[presets.fast] working_px: a whole number is needed, not '200'"),
        ("working_px = 200", "working_px = true", "a whole number is needed, not True"),
        ("working_px = 200", "working_px = 200.5", "a whole number is needed, not 200.5"),
        ("working_px = 200", "working_px = 8", "[presets.fast]: working_px must be at least 64, not 8"),
        ("overlap_frames = 4", "overlap_frames = 17", "[presets.fast]: overlap_frames must lie between 0 and half"),
        ("[presets.fast.options]", "[presets.fast.options", "not valid TOML"),
        ('"What it does."', '""', "[recipe] summary: a line of text is needed"),
        (
            "steps = 50",
            "steps = 2020-01-01",
            "[presets.fast.options] steps: text, a finite number, true, false or a list",
        ),
        ("exclusion = 0.5", "exclusion = nan", "[presets.fast.options] weights: text, a finite number"),
        ('task = "segment"', 'task = "segment"\noptions = 3', "[stage.options]: a table is needed, not 3"),
        ('task = "segment"', 'task = "segment"\nopts = {}', "[[stage]]: unknown key 'opts'; did you mean 'options'?"),
        ('task = "segment"', 'task = "segment"\noptions = { x = inf }', "[stage.options] x: text, a finite number"),
    ],
)
def test_a_wrong_recipe_is_told_with_file_place_and_what_is_right(change, to, told):
    assert GOOD.count(change) == 1
    with pytest.raises(UsageError) as caught:
        parse_recipe(GOOD.replace(change, to), "mine.toml")
    assert str(caught.value).startswith("mine.toml: ")
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("text", ["", "stage = 1\npresets = 2\nrecipe = 3", "[recipe]\nstage = []"])
def test_something_else_than_a_recipe_is_refused(text):
    with pytest.raises(UsageError, match=r"^mine\.toml: "):
        parse_recipe(text, "mine.toml")


def test_hostile_keys_are_escaped():
    with pytest.raises(UsageError) as caught:
        parse_recipe('"\\u001b[31m" = 1', "\x1b]0;x.toml")
    assert "\x1b" not in str(caught.value)


def test_an_absent_preset_is_told():
    with pytest.raises(UsageError, match=r"mine.toml: there is no preset 'quality' \(known: fast\)"):
        settings_for(parse_recipe(GOOD, "mine.toml"), "quality", device="cpu", seed=0, threads=1)


def test_every_shipped_recipe_has_all_presets_and_its_own_name():
    recipes = available_recipes()
    assert "segment" in [recipe.name for recipe in recipes]
    for recipe in recipes:
        assert recipe.file == f"{recipe.name}.toml"
        for preset in PRESETS:
            settings_for(recipe, preset, device="cpu", seed=0, threads=1)


def test_clean_archive_takes_the_mark_off_before_the_haze():
    recipe = load_recipe("clean-archive")
    assert [stage.task for stage in recipe.stages] == ["dewatermark", "dehaze"]
    for number, task in enumerate(("dewatermark", "dehaze")):
        for preset in PRESETS:
            own = settings_for(load_recipe(task), preset, device="cpu", seed=0, threads=1)
            assert settings_for(recipe, preset, device="cpu", seed=0, threads=1, stage=number) == own


def test_unknown_recipe_names_the_nearest_and_a_file_is_loaded_by_path(tmp_path):
    with pytest.raises(UsageError, match="no recipe 'segmnt'; did you mean 'segment'"):
        load_recipe("segmnt")
    path = tmp_path / "mine.toml"
    with pytest.raises(UsageError, match=r"cannot read the recipe .*mine.toml: No such file"):
        load_recipe(str(path))
    path.write_bytes(b"\xff")
    with pytest.raises(UsageError, match="not UTF-8"):
        load_recipe(str(path))
    path.write_text(GOOD, encoding="utf-8")
    assert load_recipe(str(path)).name == "mine"


def test_a_recipe_of_the_users_own_is_found_by_path_whatever_it_is_called(tmp_path, monkeypatch):
    (tmp_path / "mine").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    (tmp_path / "MINE.TOML").write_text(GOOD, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_recipe("./mine").name == load_recipe("MINE.TOML").name == "mine"
    with pytest.raises(UsageError, match=r"cannot read the recipe .*: Is a directory"):
        load_recipe(f"{tmp_path}/")


def test_a_task_that_is_not_there_is_named_with_the_file_and_the_nearest(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace('task = "segment"', 'task = "segmnet"'), encoding="utf-8")
    with pytest.raises(
        UsageError, match=r"mine\.toml: \[\[stage\]\] task: there is no task 'segmnet'; did you mean 'segment'"
    ):
        load_recipe(str(path))


def test_deep_nesting_is_not_valid_toml():
    with pytest.raises(UsageError, match="not valid TOML"):
        parse_recipe("a = " + "[" * 100_000, "mine.toml")


def test_without_presets_each_stage_has_those_of_its_tasks_recipe_and_options_of_its_own():
    text = GOOD[: GOOD.index("[presets.fast]")] + "[stage.options]\neffort = 0.3\n"
    recipe = parse_recipe(text + '[[stage]]\ntask = "dehaze"\n', "mine.toml")
    for number, task in enumerate(("segment", "dehaze")):
        for preset in PRESETS:
            own = settings_for(load_recipe(task), preset, device="cpu", seed=1, threads=2)
            settings = settings_for(recipe, preset, device="cpu", seed=1, threads=2, stage=number)
            assert settings.as_dict() == own.as_dict() | {
                "options": {**own.options, "effort": 0.3} if number == 0 else own.options
            }
    with pytest.raises(UsageError, match=r"mine\.toml: there is no stage 2; it has 2"):
        settings_for(recipe, "fast", device="cpu", seed=1, threads=2, stage=2)


def test_options_of_a_stage_are_over_those_of_the_preset():
    recipe = parse_recipe(GOOD.replace('task = "segment"', 'task = "segment"\noptions = { steps = 7 }'), "mine.toml")
    settings = settings_for(recipe, "fast", device="cpu", seed=1, threads=2)
    assert settings.options == {"steps": 7, "weights": {"exclusion": 0.5}}
