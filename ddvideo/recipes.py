"""Recipes: TOML files that name the task stages of a run and the settings of each preset."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from ddvideo.config import PRESETS, Preset, Settings
from ddvideo.errors import UsageError
from ddvideo.text import printable

__all__ = ["PresetSettings", "Recipe", "Stage", "available_recipes", "load_recipe", "parse_recipe", "settings_for"]

NUMBERS = ("working_px", "chunk_frames", "overlap_frames", "key_frames")
NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


@dataclass(frozen=True)
class Stage:
    """One step of a recipe: a task, done on the input or on the stage before's main layer.

    ``options`` are the task's own, over those of the preset.
    """

    task: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PresetSettings:
    """A preset's numbers; what it leaves out keeps the default of ``Settings``. ``options`` are the task's own."""

    numbers: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A checked recipe. ``file`` is where it was read, for messages.

    A recipe without presets of its own takes, for each stage, those of the recipe that has its task's name.
    """

    name: str
    summary: str
    stages: tuple[Stage, ...]
    presets: Mapping[Preset, PresetSettings]
    file: str


def available_recipes() -> list[Recipe]:
    """The recipes shipped with ddvideo, by name.

    Raises:
        UsageError: one of them is not right; names the file and the key.
    """
    files = sorted(_folder().iterdir(), key=lambda file: file.name)
    return [parse_recipe(file.read_text(encoding="utf-8"), file.name) for file in files if file.name.endswith(".toml")]


def load_recipe(name: str) -> Recipe:
    """Load a shipped recipe by its name, or any by the path of its TOML file.

    Raises:
        UsageError: no such recipe, unreadable, or not right; says which are at hand.
    """
    recipes = {recipe.name: recipe for recipe in available_recipes()}
    if name.lower().endswith(".toml") or "/" in name:
        return _load_file(name, [stage.task for recipe in recipes.values() for stage in recipe.stages])
    if name not in recipes:
        raise UsageError(f"there is no recipe {printable(name)!r}{_hint(name, recipes)}")
    return recipes[name]


def _load_file(name: str, tasks: Iterable[str]) -> Recipe:
    """A recipe of the user's own; its tasks are looked for among those that the shipped ones have."""
    try:
        recipe = parse_recipe(Path(name).read_text(encoding="utf-8-sig"), name)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"cannot read the recipe {printable(name)}: {reason}") from error
    known = dict.fromkeys(tasks)
    for stage in recipe.stages:
        if stage.task not in known:
            raise UsageError(
                f"{recipe.file}: [[stage]] task: there is no task {stage.task!r}{_hint(stage.task, known)}"
            )
    return recipe


def settings_for(recipe: Recipe, preset: Preset, *, device: str, seed: int, threads: int, stage: int = 0) -> Settings:
    """The settings of one stage of a recipe.

    Raises:
        UsageError: the recipe has no such preset or stage.
    """
    if not 0 <= stage < len(recipe.stages):
        raise UsageError(f"{recipe.file}: there is no stage {stage}; it has {len(recipe.stages)}")
    task, options = recipe.stages[stage].task, recipe.stages[stage].options
    source = recipe if recipe.presets else load_recipe(task)
    if preset not in source.presets:
        raise UsageError(f"{source.file}: there is no preset {preset!r}{_hint(preset, source.presets)}")
    chosen = source.presets[preset]
    numbers: Mapping[str, Any] = chosen.numbers
    try:
        return Settings(
            task=task,
            preset=preset,
            device=device,
            seed=seed,
            threads=threads,
            options={**chosen.options, **options},
            **numbers,
        )
    except UsageError as error:
        raise UsageError(f"{source.file}: [presets.{preset}]: {error}") from error


def parse_recipe(text: str, file: str) -> Recipe:
    """Check the text of a recipe.

    Args:
        text: TOML.
        file: its name, for messages.

    Raises:
        UsageError: not TOML, an unknown or missing key (with the nearest right one), a wrong type, a number out of
            range.
    """
    file = printable(file)
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{file}: not valid TOML: {printable(error)}") from error
    _check_keys(data, ("recipe", "stage", "presets"), file, "the file", required=("recipe", "stage"))
    head = _table(data["recipe"], file, "[recipe]")
    _check_keys(head, ("name", "summary"), file, "[recipe]", required=("name", "summary"))
    name = _name(head["name"], file, "[recipe] name")
    summary = head["summary"]
    if not isinstance(summary, str) or not summary.strip():
        raise _wrong(file, "[recipe] summary", "a line of text", summary)
    recipe = Recipe(
        name=name,
        summary=summary.strip(),
        stages=_stages(data["stage"], file),
        presets=_presets(data["presets"], file) if "presets" in data else {},
        file=file,
    )
    for preset in recipe.presets:
        settings_for(recipe, preset, device="cpu", seed=0, threads=1)
    return recipe


def _stages(value: object, file: str) -> tuple[Stage, ...]:
    if not isinstance(value, list) or not value:
        raise _wrong(file, "stage", "one or more [[stage]] tables", value)
    stages = []
    for entry in value:
        table = _table(entry, file, "[[stage]]")
        _check_keys(table, ("task", "options"), file, "[[stage]]", required=("task",))
        task = _name(table["task"], file, "[[stage]] task")
        stages.append(Stage(task, _options(table, file, "[stage.options]")))
    return tuple(stages)


def _presets(value: object, file: str) -> dict[Preset, PresetSettings]:
    tables = _table(value, file, "[presets]")
    _check_keys(tables, PRESETS, file, "[presets]")
    if not tables:
        raise UsageError(f"{file}: [presets]: at least one preset is needed ({', '.join(PRESETS)})")
    found: dict[Preset, PresetSettings] = {}
    for preset in PRESETS:
        if preset not in tables:
            continue
        where = f"[presets.{preset}]"
        table = _table(tables[preset], file, where)
        _check_keys(table, (*NUMBERS, "options"), file, where)
        numbers = {key: _whole(table[key], file, f"{where} {key}") for key in NUMBERS if key in table}
        found[preset] = PresetSettings(numbers, _options(table, file, f"[presets.{preset}.options]"))
    return found


def _options(table: Mapping[str, Any], file: str, where: str) -> dict[str, Any]:
    """A task's own options: which of them there are is known to the task, that they fit into a report is seen here."""
    options = _table(table.get("options", {}), file, where)
    for name, value in options.items():
        if not _is_plain(value):
            raise _wrong(file, f"{where} {printable(name)}", "text, a finite number, true, false or a list", value)
    return options


def _is_plain(value: object) -> bool:
    if isinstance(value, dict | list):
        return all(map(_is_plain, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


def _check_keys(
    table: Mapping[str, Any], known: Iterable[str], file: str, where: str, *, required: Iterable[str] = ()
) -> None:
    for key in table:
        if key not in known:
            raise UsageError(f"{file}: {where}: unknown key {printable(key)!r}{_hint(key, known)}")
    for key in required:
        if key not in table:
            raise UsageError(f"{file}: {where}: {key!r} is missing")


def _table(value: object, file: str, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(file, where, "a table", value)
    return value


def _name(value: object, file: str, where: str) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise _wrong(file, where, "a name of small letters, digits, - and _", value)
    return value


def _whole(value: object, file: str, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(file, where, "a whole number", value)
    return value


def _wrong(file: str, where: str, wanted: str, value: object) -> UsageError:
    shown = printable(repr(value))
    return UsageError(f"{file}: {where}: {wanted} is needed, not {shown if len(shown) < 60 else shown[:57] + '...'}")


def _hint(name: str, known: Iterable[str]) -> str:
    choices = list(known)
    near = difflib.get_close_matches(name, choices, n=1)
    return f"; did you mean {near[0]!r}?" if near else f" (known: {', '.join(choices)})"


def _folder() -> Any:
    try:
        return resources.files("ddvideo._pipelines")
    except ModuleNotFoundError:
        # A checkout that is not installed: the mapping of pyproject.toml is done by hand.
        return Path(__file__).parent.parent / "pipelines"
