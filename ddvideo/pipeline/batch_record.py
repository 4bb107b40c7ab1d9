"""``batch.json`` and ``index.html``: how far a batch is, written as it goes, and read by the next start."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ddvideo.errors import DDVideoError
from ddvideo.pipeline.batch import Item
from ddvideo.pipeline.request import Request
from ddvideo.report import write_index
from ddvideo.store import Places, code_sha256, result_names, write_json
from ddvideo.version import __version__

if TYPE_CHECKING:
    from ddvideo.media.inputs import LeftOut

__all__ = ["BatchRecord", "make_items"]

RECORD, INDEX = "batch.json", "index.html"
_STATUSES = ("waiting", "running", "done", "failed")
_PAUSE_SECONDS, _PAUSE_FACTOR = 0.5, 20
"""Between two writings: at least so long, and so many times as long as the last one took."""


def make_items(paths: Sequence[Path], places: Places, out: Path, requests: Sequence[Request]) -> list[Item]:
    """An item an input; what an earlier start with the same settings has done, of the same files, counts as done.

    An input keeps the name that it had then, whatever has come beside it since.
    """
    earlier = _earlier(out)
    names = _names(paths, {key: entry["folder"] for key, entry in earlier.items()}, places)
    settings = settings_mark(requests)
    items = []
    for path, name in zip(paths, names, strict=True):
        item = Item(path=path, root=out / name)
        item.facts["mark"] = f"{settings}-{file_mark(path)}"
        entry = earlier.get(input_key(path), {})
        is_same = entry.get("status") == "done" and entry["mark"] == item.facts["mark"]
        if is_same and not requests[0].fresh and _is_whole(item.root, entry["run"]):
            item.status, item.was_done = "done", True
            item.frames = entry["frames"]
            item.facts |= {fact: entry[fact] for fact in ("run", "seconds", "warnings") if fact in entry}
        items.append(item)
    return items


def input_key(path: Path) -> str:
    """What an input is called in ``batch.json``: its absolute path, the same from wherever it is looked at."""
    return str(Path(os.path.realpath(path.parent)) / path.name)


def settings_mark(requests: Sequence[Request]) -> str:
    """A hash of what decides the results, besides the inputs."""
    told = [
        [request.settings.as_dict() | {"threads": None}, request.format, request.chroma, request.frames]
        for request in requests
    ]
    text = json.dumps([__version__, code_sha256(), told], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_mark(path: Path) -> str:
    """Size and time of a file, or of all files of a folder: what is passed over is not read through for it."""
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        facts = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    except OSError:
        return "gone"
    return hashlib.sha256(repr(facts).encode(errors="surrogateescape")).hexdigest()[:16]


class BatchRecord:
    """Writes both files while the context is open, when something has changed, but not more often than is of use.

    A thread of its own writes them: a fit may say nothing for long. What an earlier batch did in the folder with other
    inputs is kept, under ``others``.

    Args:
        out: the batch's folder.
        about: recipe, preset and the like, told as they are.
        items: all of them.
        left_out: what in the source is no input.
    """

    def __init__(
        self, out: Path, about: Mapping[str, Any], items: Sequence[Item], left_out: Sequence[LeftOut] = ()
    ) -> None:
        self._out, self._about, self._items = out, dict(about), items
        keys = {input_key(item.path) for item in items}
        self._others = [entry for key, entry in _earlier(out).items() if key not in keys]
        self._left_out = [{"path": input_key(item.path), "reason": item.reason} for item in left_out]
        self._started = time.time()
        self._is_stale = self._is_running = True
        self._closing = Event()
        self._error: DDVideoError | None = None
        self._thread = Thread(target=self._keep_writing, name="ddvideo-record", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the last state.

        Raises:
            OutputError: a file cannot be written.
        """
        self._closing.set()
        self._thread.join()
        self._is_running = False
        self._write()

    def changed(self, item: Item) -> None:
        """An item's status is another one.

        Raises:
            OutputError: an earlier change could not be written.
        """
        self._is_stale = True
        if self._error is not None:
            raise self._error

    def _keep_writing(self) -> None:
        pause = 0.0
        while not self._closing.wait(pause):
            begun = time.monotonic()
            if self._is_stale:
                try:
                    self._write()
                except DDVideoError as error:
                    self._error = error
                    return
            pause = max(_PAUSE_SECONDS, _PAUSE_FACTOR * (time.monotonic() - begun))

    def _write(self) -> None:
        self._is_stale = False
        told = self.as_dict()
        write_json(self._out / RECORD, told)
        write_index(self._out / INDEX, told)

    def as_dict(self) -> dict[str, Any]:
        """Plain data: what ``batch.json`` holds."""
        counts = dict.fromkeys(_STATUSES, 0)
        for item in self._items:
            counts[item.status] += 1
        return {
            "ddvideo": __version__,
            **self._about,
            "running": self._is_running,
            "started": round(self._started, 3),
            "updated": round(time.time(), 3),
            "counts": counts,
            "items": [self._entry(item) for item in self._items],
            "others": self._others,
            "left_out": self._left_out,
        }

    def _entry(self, item: Item) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "input": input_key(item.path),
            "folder": item.root.name,
            "status": item.status,
            "frames": item.frames,
            "mark": item.facts.get("mark", ""),
            "thumbnail": item.status == "done" and (item.root / "thumbnail.jpg").is_file(),
        }
        if item.result is not None:
            entry["run"] = item.result.report.get("run", "")
            entry["seconds"] = item.result.report.get("timings_seconds", {}).get("total")
            entry["warnings"] = list(item.result.report.get("warnings", ()))
        else:
            entry |= {name: item.facts[name] for name in ("run", "seconds", "warnings") if name in item.facts}
        if item.error is not None:
            entry["error"] = str(item.error)
            entry["exit_code"] = item.error.exit_code
        return entry


def _earlier(out: Path) -> dict[str, dict[str, Any]]:
    """The entries that an earlier start has left, by their input; those that are not as we write them are not."""
    try:
        data = json.loads((out / RECORD).read_text(encoding="utf-8"))
        entries = [*data["items"], *data.get("others", ())]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    found: dict[str, dict[str, Any]] = {}
    for entry in filter(_is_entry, entries):
        found.setdefault(entry["input"], entry)
    return found


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    kinds = {"input": str, "folder": str, "status": str, "frames": int, "mark": str}
    if not all(isinstance(entry.get(name), kind) for name, kind in kinds.items()):
        return False
    entry.setdefault("run", "")
    folder, seconds, warnings = entry["folder"], entry.get("seconds"), entry.get("warnings", [])
    return (
        entry["status"] in _STATUSES
        and folder == Path(folder).name
        and not folder.startswith(".")
        and isinstance(seconds, int | float | None)
        and isinstance(warnings, list)
    )


def _is_whole(root: Path, run: str) -> bool:
    """Whether the results of a run are there, all of them, and of that run."""
    try:
        report = json.loads((root / "report.json").read_text(encoding="utf-8"))
        return report["run"] == run and all((root / Path(layer["path"]).name).exists() for layer in report["layers"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _names(paths: Sequence[Path], earlier: Mapping[str, str], places: Places) -> list[str]:
    """A folder name an input: the one it had, or a new one that no other has or had, and that can take results."""
    keys = {path: input_key(path) for path in paths}
    named = {path: earlier[key] for path, key in keys.items() if key in earlier and not places.is_footage(earlier[key])}
    fresh = [path for path in paths if path not in named]
    taken = {name.casefold() for name in (RECORD, INDEX, *earlier.values())}
    for path, wanted in zip(fresh, result_names(fresh, places.is_free), strict=True):
        name, number = wanted, 1
        while name.casefold() in taken or not places.is_free(name):
            number += 1
            name = f"{wanted}-{number}"
        taken.add(name.casefold())
        named[path] = name
    return [named[path] for path in paths]
