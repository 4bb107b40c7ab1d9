"""The README and the pages in ``docs/``: short, no dead links, no option that is not there, small pictures."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click
import pytest

from ddvideo.cli.main import cli
from ddvideo.recipes import parse_recipe

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """What GitHub names the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def options_of(*names: str) -> set[str]:
    """The long options of some commands."""
    assert isinstance(cli, click.Group)
    found = [cli.commands[name] for name in names]
    return {text for command in found for parameter in command.params for text in parameter.opts if text[:2] == "--"}


def test_the_readme_is_read_in_two_minutes():
    assert len(README.read_text().splitlines()) <= 160


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in LINK.findall(page.read_text()):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert target.is_relative_to(ROOT), f"{page.name}: {link} leads out of the checkout"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link}"


def test_every_page_is_reached_from_the_readme():
    linked = {(README.parent / link.partition("#")[0]).resolve() for link in LINK.findall(README.read_text())}
    assert set(PAGES[1:]) <= linked


def test_the_readme_has_all_options_of_the_tasks_and_no_others():
    rows = [line.split(" | ")[0] for line in README.read_text().splitlines() if line.startswith("| `-")]
    named = {option for row in rows for option in OPTION.findall(row)}
    there = options_of("segment", "separate", "dehaze", "dewatermark")
    short = {"--quiet", "--verbose", "--help"}
    assert named == there - short


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_pages_have_their_options(page):
    for _, block in FENCE.findall(page.read_text()):
        for line in block.splitlines():
            command = re.match(r"(?:\.venv/bin/)?ddvideo (\w+) ", line)
            if command:
                asked = set(OPTION.findall(line.partition("#")[0]))
                assert asked <= options_of(command[1]), f"{page.name}: {line}"


def test_the_recipe_in_the_pages_is_one():
    blocks = [text for kind, text in FENCE.findall((ROOT / "docs" / "recipes.md").read_text()) if kind == "toml"]
    assert len(blocks) == 2
    recipe = parse_recipe("\n".join(blocks), "recipes.md")
    assert [stage.task for stage in recipe.stages] == ["dehaze", "segment"]
    assert set(tomllib.loads(blocks[1])["presets"]) == {"balanced"}


def test_pictures_are_small_and_there_is_one_of_each_task():
    pictures = sorted((ROOT / "docs" / "pictures").iterdir())
    assert [picture.name for picture in pictures] == [
        f"{task}.png" for task in ("dehaze", "dewatermark", "segment", "separate")
    ]
    for picture in pictures:
        assert picture.stat().st_size < 150 * 1024
        assert f"docs/pictures/{picture.name}" in README.read_text()
