"""The Space: a leaderboard of biomedical NER models and a live demo. `python app.py` serves it on port 7860.

Environment: SPACE_DATA folder with board.json (and checkpoints/), SPACE_ORG read live from this organisation,
SPACE_INDEXES folder of indexes of ontologies,
SPACE_CORRECTIONS folder that this machine's owner saves corrections in (`zoo space --corrections`; never on the Hub),
SPACE_REFRESH_SECONDS, SPACE_BASES and SPACE_ADAPTERS kept in memory, SPACE_LIMIT_SECONDS for one text and model.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

HERE = Path(__file__).parent
if not (HERE / "zoo").is_dir():  # `zoo space push` puts the modules of zoo that are needed beside this one
    sys.path.insert(1, str(next(folder for folder in HERE.parents if (folder / "zoo" / "tagging").is_dir())))

import gradio as gr

import page
from concepts import Linkers
from data import load_reported
from hub import HubSource, Store
from zoo.tagging.pool import Pool


def make_store() -> Store:
    """The data, as the environment says."""
    folder = Path(os.environ.get("SPACE_DATA") or HERE)
    nearby = (folder / "published.yaml", HERE / "published.yaml", HERE.parent / "benchmarks" / "published.yaml")
    reported = tuple(load_reported(next((path for path in nearby if path.is_file()), nearby[0])))
    org = os.environ.get("SPACE_ORG")
    seconds = float(os.environ.get("SPACE_REFRESH_SECONDS", "900"))
    return Store(folder, reported, HubSource(org, reported) if org else None, every_seconds=seconds)


def make_app(store: Store) -> gr.Blocks:
    """The page over a store."""
    pool = Pool(
        most_bases=int(os.environ.get("SPACE_BASES", "2")),
        most_adapters=int(os.environ.get("SPACE_ADAPTERS", "16")),
        limit_seconds=float(os.environ.get("SPACE_LIMIT_SECONDS", "90")),
        pickles=False,
    )
    indexes = os.environ.get("SPACE_INDEXES")
    return page.build(store, pool, Linkers(Path(indexes) if indexes else None), _corrections())


def _corrections() -> page.Extension | None:
    """What saves corrections, where the owner of this machine asks for it; its module is not in the public Space."""
    folder = os.environ.get("SPACE_CORRECTIONS")
    if not folder:
        return None
    if "SPACE_ID" in os.environ:
        sys.exit("SPACE_CORRECTIONS is for your own machine: a Space on the Hub keeps no texts")
    import corrections

    return corrections.extension(Path(folder))


def main() -> None:
    """Serve."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    store = make_store()
    store.start()
    app = make_app(store).queue(max_size=64, default_concurrency_limit=8)
    app.launch(
        server_name=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        css_paths=HERE / "style.css",
        head="".join(f"<script>{path.read_text(encoding='utf-8')}</script>" for path in sorted(HERE.glob("*.js"))),
        theme=page.theme(),
        footer_links=[],
        state_session_capacity=300,
        ssr_mode=False,
        quiet=True,
    )


if __name__ == "__main__":
    main()
