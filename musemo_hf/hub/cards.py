"""Cards for the Hub: Markdown from the templates in `hub_cards/`, with figures from a `report.json` alone."""

from typing import Any, Literal, get_args

import jinja2
from huggingface_hub import DatasetCardData, EvalResult, ModelCardData, SpaceCardData
from huggingface_hub.repocard_data import CardData

from musemo_hf.hub.figures import Figure, read_figures
from musemo_hf.reporting.stored_report import usable_report
from musemo_hf.reporting.templates import render

CardKind = Literal["generator", "recogniser", "pipeline", "data_set", "metric", "space"]

COMMON_TAGS = ["music", "emotion", "valence", "arousal", "spectrogram", "musemo"]
PROCEDURAL = "musemo demonstration corpus (synthetic instruments)"
DEAM = "DEAM"

_SOUND = ("external_skill", "detectability")
_GENERATED = (*_SOUND, "quality_score", "skill", "coverage", "authenticity", "improvement_percent")
# kind: (figures on the card, task for the model-index)
_MEASURED: dict[str, tuple[tuple[str, ...], str]] = {
    "generator": (_GENERATED, "emotion-conditioned music generation"),
    "pipeline": (_GENERATED, "emotion-conditioned music generation"),
    "recogniser": (("ccc_real_only", "ccc_augmented"), "music emotion recognition"),
    "space": ((*_SOUND, "quality_score", "skill", "ccc_real_only", "ccc_augmented", "improvement_percent"), ""),
}


def render_card(kind: CardKind, report: dict[str, Any] | None = None, **facts: Any) -> str:
    """Write the text of a README.md with its YAML.

    Args:
        kind: "generator", "recogniser", "pipeline", "data_set", "metric" or "space".
        report: The `report.json` of `training/ablate.py` or of a checkpoint, of any shape. A figure that it lacks, or
            gives in another type (which warns), is left out; all of them are where it is None.
        **facts: The values that the template shows beside the figures. Every card needs `repo_id`. A model's card needs
            the result of `model_facts`, and takes `picture` and `sounds` (files in the repository, the sounds by
            title); a pipeline's takes `vocoder`; a generator's needs `discriminator` (whether there is one); a data
            set's needs `n_songs`, `n_artists`, `n_folds`, `labels` and `configs`; a metric's or a Space's needs
            `sdk_version`, and takes `metadata` (YAML, which takes precedence) and `body` of its own README.

    Raises:
        ValueError: The kind is unknown, or a fact that the template needs is missing.
    """
    if kind not in get_args(CardKind):
        raise ValueError(f"expected a kind of card out of {', '.join(get_args(CardKind))}, got {kind!r}")
    usable = usable_report(report)
    figures = read_figures(usable, _MEASURED.get(kind, ((), ""))[0])
    provenance = _provenance(usable)
    without = dict.fromkeys(("picture", "sounds", "body", "kernel_clips", "kernel_statistics", "embedder", "vocoder"))
    context = {**without, "network": True, **facts}
    try:
        metadata: CardData
        if kind == "data_set":
            metadata = _data_set_data(facts)
        elif kind in ("metric", "space"):
            metadata = _space_data(kind, facts)
        else:
            metadata = _model_data(kind, facts, figures, provenance)
        body = render(f"{kind}.md.jinja2", **context, figures=figures, **provenance)
    except (jinja2.UndefinedError, KeyError) as error:
        raise ValueError(f"expected all facts that a card of a {kind} shows, got no {error}") from error
    return f"---\n{metadata.to_yaml()}\n---\n\n{body}"


def _provenance(report: dict[str, Any]) -> dict[str, Any]:
    """Return the corpus, budget, seeds and findings of a usable report."""
    corpus = report["corpus"] or {}
    return {
        "corpus_name": corpus.get("name"),
        "corpus_songs": corpus.get("n_songs"),
        "procedural": bool(corpus.get("procedural", False)),
        "pseudo_labels": bool(corpus.get("heard", False)),
        "budget": report["budget"],
        "seeds": report["seeds"],
        "findings": report["findings"] or [],
        "uncertainty": report["uncertainty"],
    }


def _model_data(
    kind: CardKind, facts: dict[str, Any], figures: list[Figure], provenance: dict[str, Any]
) -> ModelCardData:
    data_set = PROCEDURAL if provenance["procedural"] else provenance["corpus_name"] or DEAM
    results = [
        EvalResult(
            task_type="other",
            task_name=_MEASURED[kind][1],
            dataset_type=data_set.lower().split(" (")[0].split(",")[0].replace(" ", "-") or "other",
            dataset_name=data_set,
            metric_type=figure.metric,
            metric_name=figure.name,
            metric_value=round(figure.value, 2),
            metric_args=None if (ends := figure.interval) is None else {"interval_95": [round(end, 2) for end in ends]},
        )
        for figure in figures
    ]
    # whatever the report measured: unless the songs have pseudo-labels they are DEAM's, much of it non-commercial
    licence: dict[str, Any] = {"license": "cc-by-nc-4.0"}
    if provenance["pseudo_labels"]:
        licence = {"license": "other", "license_name": "of-the-training-songs"}
    if not provenance["procedural"] and not provenance["pseudo_labels"]:
        licence["datasets"] = ["deam"]
    # The Hub's page makes a snippet from library_name and pipeline_tag. `AutoModel` of transformers loads a GAN and the
    # recogniser; a prompt in, an image out, as for diffusers, or labels with scores, as for a task of the Hub, are not
    # what these models do.
    own: dict[str, Any] = {"library_name": "transformers"}
    if kind == "pipeline" or facts["architecture"] in ("flow", "unet"):
        own["library_name"] = "musemo_hf"
    if kind == "recogniser":
        own["tags"] = ["vit", "music-emotion-recognition"]
    elif facts["architecture"] in ("flow", "unet"):
        own["tags"] = ["flow-matching", "diffusion", "audio-generation"]
    else:
        own["tags"] = ["gan", "audio-generation"]
    own["tags"] = [*COMMON_TAGS, *own["tags"]]
    return ModelCardData(**licence, **own, model_name=facts["repo_id"].split("/")[-1], eval_results=results or None)


def _data_set_data(facts: dict[str, Any]) -> DatasetCardData:
    return DatasetCardData(
        pretty_name="DEAM log-mel spectrograms with valence and arousal",
        license="other",
        license_name="creative-commons-per-track",
        license_link="https://cvml.unige.ch/databases/DEAM/",
        task_categories=["audio-classification"],
        size_categories=["n<1K" if facts["n_songs"] < 1000 else "1K<n<10K"],
        tags=COMMON_TAGS,
    )


def _space_data(kind: CardKind, facts: dict[str, Any]) -> SpaceCardData:
    metric = {"title": facts["repo_id"].split("/")[-1].replace("_", " ").capitalize(), "emoji": "🎼"}
    standard = {"title": "Musemo: music from emotion", "emoji": "🎹"} if kind == "space" else metric
    standard |= {"colorFrom": "indigo", "colorTo": "yellow", "sdk": "gradio", "sdk_version": facts["sdk_version"]}
    standard |= {"app_file": "app.py", "pinned": False, "license": "apache-2.0"}
    own = facts.get("metadata") or {}
    tags = [*(["evaluate", "metric"] if kind == "metric" else []), *own.get("tags", []), *COMMON_TAGS]
    return SpaceCardData(**{**standard, **own, "tags": list(dict.fromkeys(tags))})
