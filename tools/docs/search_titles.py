"""A hook of MkDocs: in the results of a search, a section is named together with its page."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

INDEX = "search/search_index.json"


def on_post_build(config: Mapping[str, object]) -> None:
    """Rewrite the titles in the index that the search plugin has written."""
    file = Path(str(config["site_dir"])) / INDEX
    index = json.loads(file.read_text())
    index["docs"] = named_with_page(index["docs"])
    file.write_text(json.dumps(index, ensure_ascii=False))


def named_with_page(entries: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return the entries of the index, the title of each section after that of its page.

    A section's location has a "#". The first section has the title of the page, whose entry is enough.
    """
    entries = list(entries)
    pages = {entry["location"]: entry["title"] for entry in entries if "#" not in entry["location"]}
    named: list[dict[str, str]] = []
    for entry in entries:
        page, _, section = entry["location"].partition("#")
        title = pages.get(page, "")
        if section and entry["title"] == title:
            continue
        named.append({**entry, "title": f"{title} › {entry['title']}" if section and title else entry["title"]})
    return named
