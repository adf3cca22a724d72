"""Twenty readers at once, through the queue of the running app: everyone gets the answer to their own text."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

USERS = 20
KEYS = ("tiny-bert/tiny-disease", "tiny-bert/tiny-chemical")


def test_twenty_at_once_get_their_own_answers(built: Path) -> None:
    client = pytest.importorskip("gradio_client", reason="needs gradio")
    from space import Server

    import data
    from zoo.tagging.tagger import Tagger

    board = data.load_board(built)
    models = {key: Tagger.load(built / "checkpoints" / key, stride_tokens=board.by_key[key].stride) for key in KEYS}
    texts = [f"Note {n} : Patients with asthma took aspirin daily . " * (1 + n % 5) for n in range(USERS)]
    expected = {}
    for number, text in enumerate(texts):
        chosen = KEYS[: 1 + number % 2]
        expected[number] = sorted(entity.key for key in chosen for entity in models[key].tag([text])[0])

    with Server(built, OMP_NUM_THREADS="1") as server:

        def ask(number: int) -> list[tuple[int, int, str]]:
            user = client.Client(server.url, verbose=False)
            keys = list(KEYS[: 1 + number % 2])
            _, _, table = user.predict(texts[number], keys, 0, False, api_name="/tag")
            rows = re.findall(r'<tr><td class="num">(\d+)</td><td class="num">(\d+)</td><td>(\w+)</td>', table)
            return sorted((int(start), int(end), name) for start, end, name in rows)

        with ThreadPoolExecutor(USERS) as pool:
            answers = dict(enumerate(pool.map(ask, range(USERS))))
    assert answers == expected
    assert len({*map(tuple, answers.values())}) > USERS / 2  # most differ: one cannot stand in for another
    assert "asthma" not in server.output  # nothing of the texts is logged
