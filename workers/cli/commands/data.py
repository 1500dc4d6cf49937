"""Data sets from the command line: which the shipped recipes want, which are here, and getting them from the hub."""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from training.data.sources import HUBS
from training.data_sets import DATA_SETS, DataSet
from training.did_you_mean import nearest
from training.folders import data_folder
from training.recipes import recipe as recipes
from training.recipes.availability import wanted
from training.recipes.recipe import FULL
from workers.cli.commands import CommandError


def show(options: argparse.Namespace) -> int:
    """Print every data set with where it is, how large, who wants it; and what is streamed from the hub."""
    folder = data_folder()
    local, streamed = _wanted_by()
    found = [_data_set(one, folder, sorted(local[one.name])) for one in DATA_SETS.values()]
    from_hub = [
        {"source": name, "hub": HUBS[name], "wanted_by": sorted(who)}
        for name, who in sorted(streamed.items())
    ]
    if options.json:
        print(json.dumps({"folder": str(folder), "data_sets": found, "streamed": from_hub}, indent=1))
        return 0
    print(f"data folder: {folder}")
    for one in found:
        here = f"{one['bytes'] / 1e6:.1f} MB in {one['path']}" if one["here"] else "not here"
        print(f"\n{one['name']:<16} {here}\n{'':<16} {one['title']}; licence: {one['licence']}")
        print(f"{'':<16} wanted by {', '.join(one['wanted_by']) or 'no shipped recipe'}")
        if not one["here"]:
            print(f"{'':<16} missing: {', '.join(one['missing'])}; get it: {one['fetch']}")
    print("\nstreamed from the hub while they train, a network is needed:")
    for other in from_hub:
        print(f"{other['source']:<16} {other['hub']}, wanted by {', '.join(other['wanted_by'])}")
    missing = [one["name"] for one in found if not one["here"] and one["wanted_by"]]
    if missing:
        print(f"\nget all that is wanted: mulberry data fetch {' '.join(missing)}")
    return 0


def fetch(options: argparse.Namespace) -> int:
    """Get data sets from the hub, one after the other. Raises CommandError for a name that is not known."""
    for name in options.names:
        if name not in DATA_SETS:
            raise CommandError(
                f"there is no data set {name!r}{nearest(name, list(DATA_SETS))}; see `mulberry data`"
            )
    from training.data.fetching import fetch as get  # pyarrow and the hub's library take a second to import

    folder = data_folder()
    for one in (DATA_SETS[name] for name in dict.fromkeys(options.names)):
        if not one.missing(folder) and not options.again:
            print(f"{one.name} is here already; --again gets it anew")
            continue
        for path in get(one, folder, print):
            print(f"{path}  {path.stat().st_size:,} bytes", flush=True)
    return 0


def _wanted_by() -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Data set → shipped recipes, marked with their size where that is not the full one; and streamed source → the same."""
    local: dict[str, set[str]] = defaultdict(set)
    streamed: dict[str, set[str]] = defaultdict(set)
    for name in recipes.names():
        recipe = recipes.build(recipes.shipped(name))
        for scale in (FULL, *recipe.scales):
            sized = recipes.build(recipe, [("scale", scale)] if scale != FULL else [])
            for places, reads in zip((local, streamed), wanted(sized), strict=True):
                for one in reads:
                    if name not in places[one]:
                        places[one].add(name if scale == FULL else f"{name} ({scale})")
    return local, streamed


def _data_set(one: DataSet, folder: Path, wanted_by: list[str]) -> dict[str, Any]:
    missing = [str(path) for path in one.missing(folder)]
    return {
        "name": one.name,
        "title": one.title,
        "licence": one.licence,
        "hub": one.hub,
        "here": not missing,
        "path": str((folder / one.files[0].path).parent),
        "bytes": one.size(folder),
        "missing": missing,
        "wanted_by": wanted_by,
        "fetch": f"mulberry data fetch {one.name}",
    }
