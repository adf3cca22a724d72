"""Corpora in Russian, Chinese and Arabic through every command: nothing takes English or white space for granted."""

from __future__ import annotations

import csv
import json
import random
import unicodedata
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.tiny import save_tiny_backbone, tiny_tokenizer

Zoo = Callable[..., "CompletedProcess[str]"]
DISEASES = {
    "ru": ("астма", "йододефицит", "сахарный диабет", "мигрень", "подагра"),
    "zh": ("哮喘", "2型糖尿病", "偏头痛", "慢性肾脏病", "痛风"),
    "ar": ("الربو", "داء السكري", "الشقيقة", "مرض الكلى المزمن", "النقرس"),
}
DRUGS = {
    "ru": ("аспирин", "ибупрофен", "метформин", "гепарин"),
    "zh": ("阿司匹林", "布洛芬", "二甲双胍", "肝素"),
    "ar": ("الأسبرين", "الإيبوبروفين", "الميتفورمين", "الهيبارين"),
}
TEMPLATES = {
    "ru": ("Диагноз: {disease}. Назначен {drug}.", "Принимал {drug}, {disease} прошла.", "Жалоб нет, № {number}."),
    "zh": ("诊断为{disease}，给予{drug}。", "服用{drug}后{disease}好转！", "第{number}天无不适。"),
    "ar": ("التشخيص: {disease}. أعطي {drug}.", "تناول {drug} بسبب {disease}.", "لا شكوى في اليوم {number}؟"),
}
LANGUAGES = tuple(TEMPLATES)
LICENSE = "license: {spdx: CC0-1.0, source: made in the tests, publishable: true}\n"


def documents(language: str, count: int = 30) -> list[dict[str, Any]]:
    """Sentences with their mentions, every third without any."""
    found = []
    for number in range(count):
        template = TEMPLATES[language][number % 3]
        disease, drug = DISEASES[language][number % 5], DRUGS[language][number % 4]
        text = template.format(disease=disease, drug=drug, number=number)
        spans = [
            {"start": text.index(word), "end": text.index(word) + len(word), "type": name}
            for word, name in ((disease, "Disease"), (drug, "Chemical"))
            if word in text
        ]
        found.append({"id": f"{language}-{number}", "text": text, "spans": spans})
    return found


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """A tiny model of a multilingual encoder's layout (BERT with a SentencePiece vocabulary), and Chinese passages."""
    folder = tmp_path / "registry"
    texts = [document["text"] for language in LANGUAGES for document in documents(language)]
    rng = random.Random(0)
    for number, text in enumerate(texts):  # pieces must not reach over the borders of mentions
        texts[number] = text if " " in text else "".join(rng.sample(text, len(text)))
    for name in ("backbones", "passages", "texts"):
        (folder / name).mkdir(parents=True)
    save_tiny_backbone("bert", folder / "models" / "tiny", tiny_tokenizer("unigram", texts))
    for name, spoken in (("tiny-mul", "mul"), ("tiny-english", "en")):
        (folder / "backbones" / f"{name}.yaml").write_text(
            f"id: {name}\ntitle: Tiny\nfamily: bert\npath: models/tiny\nparameters_million: 0.1\n"
            f"languages: [{spoken}]\nwindow_tokens: 32\nstride_tokens: 8\n{LICENSE}"
        )
    words = (
        "研究",
        "患者",
        "疗效",
        "安全",
        "比较",
        "治疗",
        "随访",
        "结果",
        "药物",
        "血压",
        "方法",
        "剂量",
        "症状",
        "检查",
    )
    passages = [{"id": str(number), "text": "".join(rng.choices(words, k=80)) + "。"} for number in range(20)]
    lines = [json.dumps(passage, ensure_ascii=False) for passage in passages]
    (folder / "texts" / "p.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "passages" / "chinese.yaml").write_text(
        f"id: chinese\ntitle: Chinese\nlanguage: zh\n{LICENSE}sources: [{{kind: bundled, path: texts}}]\n"
    )
    (folder / "recipes.yaml").write_text(
        'overrides:\n  - match: "tiny-*/*"\n'
        "    set: {lora.rank: 4, finetune.epochs: 30, finetune.batch_size: 4, finetune.learning_rate: 3.0e-3,"
        " finetune.patience: 30, finetune.precision: float32, evaluation.bootstrap_samples: 200, dapt.epochs: 1,"
        " dapt.batch_size: 4, dapt.heldout_max: 5, dapt.precision: float32, dapt.test_sets: [own]}\n"
    )
    return folder


def write_corpus(language: str, path: Path) -> None:
    lines = [json.dumps(document, ensure_ascii=False) for document in documents(language, 90)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def otherwise_written(text: str, language: str) -> str:
    """The same text in decomposed letters, with no-break spaces, and what cannot be seen."""
    between = "\u200b" if language == "zh" else "\u00ad"
    return "".join(f"{letter}{between}" for letter in unicodedata.normalize("NFD", text).replace(" ", "\u00a0"))


def entities(zoo: Zoo, model: Path, text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(zoo("tag", "--model", model, text, "--json").stdout)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_corpus_passes_every_command(zoo: Zoo, registry: Path, tmp_path: Path, language: str) -> None:
    write_corpus(language, tmp_path / "own.jsonl")
    own = ("--registry", "registry")
    add = "corpora add own --format jsonl --path own.jsonl --types all --license CC0-1.0 --dev 0.3"
    said = zoo(*add.split(), "--language", language, "--registry", "other").stdout
    assert "zoo build multilingual-e5-small/own" in said
    added = json.loads(zoo(*add.split(), "--publishable", "--language", language, *own, "--json").stdout)
    tokens = sum(split["tokens"] for split in added["entry"]["splits"].values())
    assert tokens > 60 * 3 and added["entry"]["language"] == language
    assert json.loads(zoo("corpora", "check", "own", *own, "--json").stdout)["within"]
    shown = zoo("corpora", "show", "own", *own).stdout
    assert DRUGS[language][0] in shown

    dapt = ("--set", "dapt.passages=[chinese]") if language == "zh" else ()
    planned = json.loads(zoo("plan", "tiny-mul/own", *dapt, *own, "--json").stdout)
    assert not planned["obstacles"] and not planned["warnings"]
    warned = zoo("plan", "tiny-english/own", "--set", "dapt.passages=[chinese]", *own).stdout
    for what in ("tiny-english was pre-trained on English, own is", "the passages chinese are in Chinese"):
        assert warned.count(what) == 1
    zoo("build", "tiny-mul/own", *dapt, *own)
    model = tmp_path / "builds" / "checkpoints" / "tiny-mul" / "own"
    result = json.loads((model / "result.json").read_text())
    assert result["scores"]["test"]["micro_f1"] > 0.5
    if language == "zh":
        assert result["dapt"]["passages_trained"] > 10 and result["dapt"]["tokens"] > 0

    scored = json.loads(zoo("evaluate", model, "own", *own, "--json").stdout)
    assert scored["micro_f1"] == pytest.approx(result["scores"]["test"]["micro_f1"])
    zoo("errors", model, "own", "--html", "errors.html", *own)
    assert 'lang="' in (tmp_path / "errors.html").read_text()
    assert "abbreviations" not in zoo("robustness", model, "own", *own).stdout
    assert "own" in zoo("cross", model, "--corpora", "own", "--out", "crossed", *own).stdout

    text = documents(language)[0]["text"]
    found = entities(zoo, model, text)
    assert [text[e["start"] : e["end"]] for e in found] == [e["text"] for e in found] and found
    other = otherwise_written(text, language)
    again = entities(zoo, model, other)
    assert [(e["type"], e["score"]) for e in again] == [(e["type"], e["score"]) for e in found]
    for plain, written in zip(found, again, strict=True):
        piece = unicodedata.normalize("NFC", "".join(c for c in written["text"] if c not in "\u00ad\u200b"))
        assert piece.replace("\u00a0", " ") == plain["text"] and other[written["end"] - 1] not in "\u00ad\u200b"
    for name in ("a.jsonl", "a.csv", "a.pubtator", "a.bioc.xml", "a.bioc.json", "brat"):
        zoo("tag", "--model", model, "--file", "own.jsonl", "--out", name)
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        by_csv = {(row["id"], row["text"]) for row in csv.DictReader(file)}
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    assert by_csv == {(line["id"], e["text"]) for line in lines for e in line["entities"]} and by_csv

    card = (model / "README.md").read_text(encoding="utf-8")
    zoo("cards", *own)
    assert f"language: {language}" in card and "text: " in card
    assert "own" in zoo("board", *own).stdout
    zoo("export", model, "--merged", "merged", "--onnx", "onnx", *own)
    assert [e["text"] for e in entities(zoo, tmp_path / "merged", text)] == [e["text"] for e in found]
