"""Cards: valid YAML, figures of the report and of nothing else, and plain words on limits and licence."""

import math
import re

import pytest
import yaml
from huggingface_hub import DatasetCard, ModelCard, SpaceCard

from musemo_hf.hub.cards import render_card
from musemo_hf.reporting.templates import FOLDERS

MODEL = {"n_parameters": 1234567, "n_frames": 431, "seconds": 10.0, "sampling_rate": 22050, "architecture": "gan"}
FLOW = MODEL | {"architecture": "flow", "num_inference_steps": 12, "guidance_scale": 1.75}
FACTS = {
    "generator": {"repo_id": "ana/musemo-generator", "discriminator": True, **MODEL},
    "recogniser": {"repo_id": "ana/musemo-recogniser", **MODEL},
    "pipeline": {"repo_id": "ana/musemo", **MODEL},
    "data_set": {
        "repo_id": "ana/deam",
        "n_songs": 1615,
        "n_artists": 840,
        "n_folds": 5,
        "labels": "corrected",
        "configs": [{"name": "excerpt_10s", "n_songs": 1615, "n_frames": 431, "seconds": 10.0}],
    },
    "metric": {"repo_id": "ana/spectrogram_quality", "sdk_version": "6.31.0"},
    "space": {"repo_id": "ana/musemo-space", "sdk_version": "6.31.0"},
}
CARDS = {"data_set": DatasetCard, "metric": SpaceCard, "space": SpaceCard}
REPORT = {
    "quality_score": 61.239,
    "ccc_real_only": {"value": 0.5123, "interval": [0.48, 0.5449]},
    "ccc_augmented": 0.5007,
    "improvement_percent": -2.264,
    "quality": {
        "quality_score_interval": [60.1, 62.9],
        "skill": -0.37,
        "skill_interval": [-0.5, -0.2],
        "coverage": 0.1,
    },
    "arms": {"synthetic": {"ccc": {"mean": {"value": 0.5007, "interval": [0.47, 0.531]}}}},
    "validation": {"published_verdict": "fail", "detail": {"ignored": 1}},
    "findings": ["Nothing was shown."],
    "corpus": {"name": "DEAM, ten-second excerpts", "n_songs": 1615, "procedural": False},
    "budget": "budget",
    "seeds": [0, 1, 2],
}
PROCEDURAL = REPORT | {"corpus": {"name": "demo", "n_songs": 240, "procedural": True}}
MEASURED = ("generator", "recogniser", "pipeline", "space")


def metadata(card: str) -> dict:
    return yaml.safe_load(card.split("---\n")[1])


@pytest.mark.parametrize("kind", FACTS)
@pytest.mark.parametrize("report", [None, REPORT, PROCEDURAL], ids=["no report", "report", "procedural"])
def test_every_card_is_one_of_the_hubs(kind, report):
    text = render_card(kind, report, **FACTS[kind])
    card = CARDS.get(kind, ModelCard)(text)
    assert card.data.license
    assert "music" in card.data.tags
    assert metadata(text) == card.data.to_dict()
    assert "## Limits" in text
    assert "## Licence" in text
    assert "{{" not in text
    assert "{%" not in text
    assert "\n\n\n" not in text.split("```")[0]


@pytest.mark.parametrize("kind", ["generator", "recogniser", "pipeline", "data_set", "space"])
def test_licences_of_the_songs_are_told_in_plain_words(kind):
    text = render_card(kind, REPORT, **FACTS[kind])
    assert "**by track**" in text
    assert "many forbid commercial use" in text
    if kind not in ("data_set", "space"):
        assert metadata(text)["license"] == "cc-by-nc-4.0"


def test_figures_are_the_reports():
    results = ModelCard(render_card("recogniser", REPORT, **FACTS["recogniser"])).data.eval_results
    assert {result.metric_name: result.metric_value for result in results} == {
        "CCC, trained on real songs": 0.51,
        "CCC, trained on real and generated songs": 0.5,
    }
    assert {result.dataset_name for result in results} == {"DEAM, ten-second excerpts"}
    assert [result.metric_args for result in results] == [{"interval_95": [0.48, 0.54]}, {"interval_95": [0.47, 0.53]}]
    text = render_card("space", REPORT, **FACTS["space"])
    shown_figures = (
        "61.24 (60.10 to 62.90)",
        "-0.37 (-0.50 to -0.20)",
        "0.51 (0.48 to 0.54)",
        "0.50 (0.47 to 0.53)",
    )
    for shown in (*shown_figures, "-2.26", "1615 songs", "Seeds: 0, 1, 2."):
        assert shown in text
    assert "Configuration: budget." in text
    assert "- Nothing was shown." in text
    other = render_card("space", REPORT | {"quality_score": 12.5}, **FACTS["space"])
    assert "12.5" in other
    assert "61.24" not in other


@pytest.mark.parametrize("kind", MEASURED)
def test_without_a_report_nothing_is_claimed(kind):
    text = render_card(kind, None, **FACTS[kind])
    assert "not measured" not in text
    assert "## Evaluation" not in text
    assert "model-index" not in metadata(text)


@pytest.mark.parametrize("value", [None, math.nan, math.inf, {"value": None}])
def test_what_the_report_lacks_is_left_out(value):
    report = REPORT | {"quality_score": value}
    text = render_card("generator", report, **FACTS["generator"])
    assert "| Quality score |" not in text
    assert [result.metric_value for result in ModelCard(text).data.eval_results] == [-0.37, 0.1, -2.26]


@pytest.mark.parametrize("value", ["61", True, [61], {"value": "61"}, {"value": 61, "interval": "wide"}])
def test_a_figure_of_another_type_is_named_and_left_out(value):
    with pytest.warns(UserWarning, match="report: expected quality_score to be"):
        text = render_card("generator", REPORT | {"quality_score": value}, **FACTS["generator"])
    assert "| Quality score |" not in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script>alert(1)&lt;/script>"),
        ("a | b", r"a \| b"),
        ("[free](https://example.org)", r"[free\](https://example.org)"),
        ("![pixel](https://example.org/p.png)", r"![pixel\](https://example.org/p.png)"),
        ("one\n\n# two", "one # two"),
        ("`code` *strong* _weak_", r"\`code\` \*strong\* \_weak\_"),
        ("# Heading", r"\# Heading"),
        ("\ud800 and \x1b[31m", "and [31m"),
        ("CCC 0.725 [0.701, 0.746] of R&B, snake_case", "CCC 0.725 [0.701, 0.746] of R&B, snake_case"),
    ],
)
def test_text_of_a_report_is_shown_and_not_obeyed(text, shown):
    report = {"corpus": {"name": text, "heard": True}, "budget": text, "seeds": [text], "findings": [text]}
    card = render_card("generator", report, **FACTS["generator"])
    card.encode()
    for place in (
        f"Corpus: {shown}. ",
        f"Configuration: {shown}. ",
        f"Seeds: {shown}. ",
        f"({shown}):",
    ):
        assert place in card
    assert f"\n- {shown}\n" in card
    assert ModelCard(card).data.license == "other"


@pytest.mark.parametrize("kind", MEASURED)
def test_the_demonstration_corpus_is_named_as_no_recorded_music(kind):
    text = render_card(kind, PROCEDURAL, **FACTS[kind])
    assert "**These figures say nothing about recorded music.**" in text
    assert "nothing about recorded music" not in render_card(kind, REPORT, **FACTS[kind])
    for entry in metadata(text).get("model-index", []):
        assert {result["dataset"]["name"] for result in entry["results"]} == {
            "musemo demonstration corpus (synthetic instruments)"
        }


def test_picture_and_sounds_stand_where_given():
    facts = FACTS["generator"]
    text = render_card(
        "generator", None, picture="samples/spectrograms.png", sounds={"happy": "samples/happy.flac"}, **facts
    )
    assert "](samples/spectrograms.png)" in text
    assert 'src="https://huggingface.co/ana/musemo-generator/resolve/main/samples/happy.flac"' in text
    bare = render_card("generator", None, **facts)
    assert "**happy**" in text
    assert "sample" not in bare.replace("(1, samples)", "")


@pytest.mark.parametrize(("kind", "library"), [("generator", "musemo_hf"), ("pipeline", "musemo_hf")])
def test_a_flows_card_names_its_steps_and_guidance_and_no_gan(kind, library):
    text = render_card(kind, REPORT, **FACTS[kind] | FLOW | {"discriminator": False})
    card = ModelCard(text)
    assert card.data.library_name == library
    assert "flow-matching" in card.data.tags
    assert "gan" not in card.data.tags
    assert not re.search(r"\bGAN\b|MusemoGan|[Dd]iscriminator", text)
    assert "flow matching" in text
    assert "in 12 Euler steps with a guidance scale of 1.75" in text
    assert "`num_inference_steps` (here 12" in text
    assert "`guidance_scale` (here 1.75" in text
    assert "61.24 (60.10 to 62.90)" in text


@pytest.mark.parametrize("n_descriptors", [0, 24])
def test_a_u_nets_card_names_what_can_be_asked_and_what_is_stored(n_descriptors):
    wishes = {"conditions": ("loudness", "tempo"), "genres": ("Jazz", "Rock")}
    stored = {"n_descriptors": n_descriptors, "n_training_clips": 1292, "beat": n_descriptors > 0}
    facts = FACTS["generator"] | FLOW | {"architecture": "unet", "discriminator": False} | stored
    text = render_card("generator", REPORT, **facts, **wishes)
    assert "in 12 steps of second order (UniPC) with a guidance scale of 1.75" in text
    assert 'left out: loudness, tempo, genre (`pipe(..., genre="Jazz")` of `MusemoPipeline`; Jazz, Rock).' in text
    assert ("24 descriptors of it are drawn" in text) == ("of 1,292 songs" in text) == bool(n_descriptors)
    assert ("told a regular beat" in text) == bool(n_descriptors)
    plain = render_card("generator", REPORT, **facts, conditions=(), genres=())
    assert "wishes" not in plain


@pytest.mark.parametrize(("kind", "library"), [("generator", "transformers"), ("pipeline", "musemo_hf")])
def test_a_gans_card_names_no_steps(kind, library):
    text = render_card(kind, None, **FACTS[kind])
    assert ModelCard(text).data.library_name == library
    assert "conditional GAN with 1,234,567 parameters" in text
    assert not re.search("flow|steps|guidance", text)


def test_published_labels_are_named_as_swapped():
    assert "Here they are corrected" in render_card("data_set", **FACTS["data_set"])
    assert "**as published**" in render_card("data_set", **FACTS["data_set"] | {"labels": "published"})


def test_the_spaces_own_metadata_wins():
    own = {"metadata": {"title": "Mine", "sdk_version": "6.20.0"}, "body": "# Mine\n\nText."}
    card = SpaceCard(render_card("space", None, **FACTS["space"] | own))
    assert card.text.strip().startswith("# Mine\n\nText.\n\n## Limits")
    assert (card.data.title, card.data.sdk_version, card.data.sdk) == ("Mine", "6.20.0", "gradio")


def test_no_template_holds_a_figure():
    """Digits in the templates are of conventions and citations: a decimal fraction could only be a result."""
    allowed = {"2.0", "0.8", "0.7", "1.0", "10.1371", "0.0", "4.0", "0.1"}
    for template in FOLDERS[1].glob("*.jinja2"):
        numbers = set(re.findall(r"(?<![\w.])\d+\.\d+", re.sub(r"\{[{%].*?[}%]\}", "", template.read_text())))
        assert numbers <= allowed, template.name


@pytest.mark.parametrize(
    ("kind", "report", "facts", "expected"),
    [
        ("poster", None, {}, "expected a kind of card"),
        ("generator", None, {"repo_id": "a/b"}, "expected all facts"),
        ("generator", None, {k: v for k, v in MODEL.items()}, "repo_id"),
    ],
)
def test_what_a_card_cannot_show_is_an_error(kind, report, facts, expected):
    with pytest.raises(ValueError, match=expected):
        render_card(kind, report, **facts)
