"""``ddvideo recipes``: the recipes and presets at hand."""

from __future__ import annotations

from typing import Any

import click

from ddvideo.cli.console import emit, table

__all__ = ["recipes"]


@click.command(short_help="The recipes and presets at hand.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")
def recipes(as_json: bool) -> None:
    """List the recipes and presets at hand."""
    from ddvideo.recipes import available_recipes

    found = [_describe(recipe) for recipe in available_recipes()]
    if as_json:
        import json

        emit(json.dumps(found, indent=2))
        return
    blocks = []
    for recipe in found:
        rows = [("preset", "size", "chunk", "overlap", "key frames")]
        rows += [
            (
                preset["name"] + (" (default)" if preset["name"] == "balanced" else ""),
                f"{preset['working_px']} px",
                f"{preset['chunk_frames']} frames",
                f"{preset['overlap_frames']} frames",
                f"{preset['key_frames']}",
            )
            for preset in recipe["presets"]
        ]
        head = f"{recipe['name']}: {recipe['summary']}"
        stages = f"  stages: {', then '.join(recipe['stages'])}"
        own = table(rows, indent="  ") if recipe["presets"] else "  presets: those of its stages' own recipes"
        blocks.append(f"{head}\n{stages}\n{own}")
    emit("\n\n".join(blocks))


def _describe(recipe: Any) -> dict[str, Any]:
    from ddvideo.recipes import settings_for

    presets = []
    for preset in recipe.presets:
        settings = settings_for(recipe, preset, device="cpu", seed=0, threads=1)
        presets.append(
            {
                "name": preset,
                "working_px": settings.working_px,
                "chunk_frames": settings.chunk_frames,
                "overlap_frames": settings.overlap_frames,
                "key_frames": settings.key_frames,
                "options": dict(settings.options),
            }
        )
    return {
        "name": recipe.name,
        "summary": recipe.summary,
        "stages": [stage.task for stage in recipe.stages],
        "presets": presets,
    }
