"""What is pushed by `musemo push` is what strangers load, from fresh processes with empty caches."""

import json
import re
from textwrap import dedent

import pytest

from .client import RUN_CARD, Client
from .conftest import TOKEN

REPOSITORIES = {
    "generator": ("models", "ana/musemo-generator"),
    "recogniser": ("models", "ana/musemo-recogniser"),
    "pipeline": ("models", "ana/musemo"),
    "dataset": ("datasets", "ana/deam"),
    "metric": ("spaces", "ana/spectrogram_quality"),
    "other metric": ("spaces", "ana/concordance_correlation"),
    "space": ("spaces", "ana/musemo-space"),
}

PUSH = """
    import argparse, torch
    from pathlib import Path
    from musemo_hf import (MusemoFeatureExtractor, MusemoGanConfig, MusemoGanDiscriminator, MusemoGanGenerator,
                           MusemoViTConfig, MusemoViTForEmotionRegression)
    from musemo_hf.commands.push import add_arguments, run
    from musemo_hf.data.demo_corpus import render_demo_corpus

    root = Path(ROOT)
    torch.manual_seed(0)
    small = MusemoGanConfig(n_frames=32, generator_channels=64, discriminator_channels=8)
    MusemoGanGenerator(small).save_pretrained(root / "generator")
    MusemoGanDiscriminator(small).save_pretrained(root / "generator/discriminator")
    MusemoFeatureExtractor(n_frames=32).save_pretrained(root / "generator")
    vit = MusemoViTConfig(n_frames=34, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    MusemoViTForEmotionRegression(vit).save_pretrained(root / "recogniser")
    MusemoFeatureExtractor(n_frames=34).save_pretrained(root / "recogniser")
    render_demo_corpus(root / "DEAM", n_songs=5)
    (root / "generator/report.json").write_text('{"quality_score": 12.5}')

    def push(*words):
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        return run(parser.parse_args([str(word) for word in words]))

    checkpoint = ("--checkpoint", root / "generator")
    data = ("--data", root / "DEAM", "--config", "excerpt_10s", "--cache", root / "prepared")
    pushes = [
        ("generator", "ana/musemo-generator", *checkpoint, "--private", "--tag", "v1"),
        ("recogniser", "ana/musemo-recogniser", "--checkpoint", root / "recogniser"),
        ("pipeline", "ana/musemo", *checkpoint),
        ("dataset", "ana/deam", *data),
        ("metric", "ana/spectrogram_quality"),
        ("metric", "ana/concordance_correlation"),
        ("space", "ana/musemo-space"),
    ]
    result = [[push(*words), push(*words)] for words in pushes]
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def pushed(hub, new_client, root):
    """Everything, pushed twice by one process; the number of commits after that."""
    statuses = new_client().run(f"ROOT = {str(root)!r}\n" + dedent(PUSH))
    assert statuses == [[0, 0]] * 7
    return {kind: len(hub.repository(*where).commits) - 1 for kind, where in REPOSITORIES.items()}


@pytest.fixture(scope="module")
def with_package(hub, pushed, new_client, root):
    """What a process sees that has the package, of a Hub that now and then fails."""
    faults = [
        hub.fail("HEAD /ana/musemo-generator/resolve/.*/config.json", status=429, headers={"Retry-After": "0"}),
        hub.fail("HEAD /ana/musemo-generator/resolve/.*/model.safetensors", status=503),
        hub.fail("GET /lfs/.*", "truncate"),
    ]
    client = new_client()
    seen = client.run(f"ROOT = {str(root)!r}\n" + dedent(RUN_CARD + WITH_PACKAGE))
    hub.heal()
    return seen | {"faults": [fault.hits for fault in faults], "home": client.home}


WITH_PACKAGE = """
    import datasets, evaluate, json, numpy as np, torch
    from datasets import load_dataset
    from diffusers import DiffusionPipeline
    from transformers import AutoFeatureExtractor, AutoModel, pipeline
    from musemo_hf import (DeamSpectrograms, MusemoFeatureExtractor, MusemoGanDiscriminator, MusemoGanGenerator,
                           MusemoPipeline, MusemoViTForEmotionRegression, metric_path)
    from musemo_hf.pipelines.registration import register
    register()
    result = {}
    happy = torch.tensor([[0.8, 0.7]])
    repo, local = "ana/musemo-generator", ROOT + "/generator"
    same = lambda a, b: bool(torch.equal(a, b))

    generator = MusemoGanGenerator.from_pretrained(repo)
    mels = generator.generate(emotion=happy, seed=0)
    result["generator"] = same(mels, MusemoGanGenerator.from_pretrained(local).generate(emotion=happy, seed=0))
    result["mels"] = mels.flatten()[::997].tolist()
    result["auto"] = type(AutoModel.from_pretrained(repo)).__module__
    result["extractor"] = MusemoFeatureExtractor.from_pretrained(repo).n_frames
    MusemoGanDiscriminator.from_pretrained(repo, subfolder="discriminator")
    tagged = MusemoGanGenerator.from_pretrained(repo, revision="v1", cache_dir=ROOT + "/elsewhere")
    result["tagged"] = same(tagged.generate(emotion=happy, seed=0), mels)
    try:
        MusemoGanGenerator.from_pretrained(repo, token=False, cache_dir=ROOT + "/stranger")
    except OSError as error:
        result["stranger"] = str(error)

    a = MusemoPipeline.from_pretrained("ana/musemo")
    b = DiffusionPipeline.from_pretrained("ana/musemo", trust_remote_code=True)
    song = a(valence=0.8, arousal=0.7, seed=0)
    result["pipelines"] = [type(a).__name__, type(b).__name__]
    result["songs"] = [same(torch.tensor(song.audio), torch.tensor(b(0.8, 0.7, seed=0).audio)),
                       same(torch.tensor(song.spectrogram), a.feature_extractor.to_decibels(mels[0, 0]))]

    from musemo_hf.cli import main
    from musemo_hf.pipelines.generators import load_generator
    recogniser = "ana/musemo-recogniser"
    result["wrong"] = []
    for load in (MusemoPipeline.from_pretrained, load_generator, MusemoGanGenerator.from_pretrained):
        try:
            load(recogniser)
        except ValueError as error:
            result["wrong"].append(str(error))
    arguments = ["--preset", "happy", "--output", ROOT + "/happy.wav"]
    result["status"] = [main(["generate", "--checkpoint", recogniser, *arguments]),
                        main(["generate", "--checkpoint", repo, *arguments])]

    samples = np.sin(np.arange(44100) / 10).astype(np.float32)
    task = "music-emotion-recognition"
    recognise = pipeline(task, model="ana/musemo-recogniser", trust_remote_code=True)
    result["recognised"] = recognise(samples, sampling_rate=44100)
    plain = pipeline(task, model=ROOT + "/recogniser")
    result["registered"] = [type(plain).__module__, plain(samples, sampling_rate=44100)]

    builder = DeamSpectrograms(config_name="excerpt_10s", data_dir=ROOT + "/DEAM", cache_dir=ROOT + "/prepared")
    built = builder.as_dataset("train")
    mapped = load_dataset("ana/deam", "excerpt_10s", split="train")
    streamed = load_dataset("ana/deam", "excerpt_10s", split="train", streaming=True)
    rows = [list(part.with_format("numpy")) for part in (built, mapped, streamed)]
    def equal(x, y):
        return set(x) == set(y) and all(np.array_equal(x[key], y[key]) for key in x)
    result["rows"] = [len(part) for part in rows]
    result["cards"] = [run_card("ana/musemo"), run_card("ana/deam", "dataset")]
    result["equal"] = [all(map(equal, rows[0], part)) for part in rows[1:]]
    result["features"] = built.features == mapped.features == streamed.features

    slope = -np.arange(128)[:, None] / 4
    noise = [np.random.default_rng(i).normal(-10, 10, (40, 128, 16)) for i in (0, 1)]
    real, fake = (np.repeat(side, 4, axis=2).astype(np.float32) + slope for side in noise)
    def score(path):
        metric = evaluate.load(path, experiment_id="x" + str(len(path)))
        metric.add_batch(references=real)
        metric.add_batch(predictions=fake)
        return json.dumps(metric.compute(), sort_keys=True, default=float)
    result["quality"] = score(metric_path("spectrogram_quality"))
    ccc = evaluate.load(metric_path("concordance_correlation"))
    result["ccc"] = ccc.compute(predictions=[0.1, 0.2, 0.5], references=[0.0, 0.3, 0.4])["ccc"]
"""

WITHOUT_PACKAGE = """
    import evaluate, json, numpy as np, torch
    from transformers import AutoFeatureExtractor, AutoModel, pipeline
    result = {}
    repo = "ana/musemo-generator"
    generator = AutoModel.from_pretrained(repo, trust_remote_code=True)
    extractor = AutoFeatureExtractor.from_pretrained(repo, trust_remote_code=True)
    mels = generator.generate(emotion=torch.tensor([[0.8, 0.7]]), seed=0)
    result["mels"] = mels.flatten()[::997].tolist()
    result["audio"] = list(extractor.invert(mels).shape)
    result["modules"] = [type(part).__module__.split(".")[0] for part in (generator, extractor)]
    try:
        AutoModel.from_pretrained(repo)
    except ValueError as error:
        result["untrusted"] = str(error)

    from diffusers import DiffusionPipeline
    pipe = DiffusionPipeline.from_pretrained("ana/musemo", trust_remote_code=True)
    result["pipeline mels"] = pipe(0.8, 0.7, seed=0, output_type="latent").audios.flatten()[::997].tolist()
    snippets = ["ana/musemo-generator", "ana/musemo-recogniser"]  # those that the Hub's page shows
    loaded = [AutoModel.from_pretrained(repo, trust_remote_code=True, dtype="auto") for repo in snippets]
    result["snippets"] = [type(model).__name__ for model in loaded]

    result["cards"] = [run_card(repo) for repo in snippets]
    recognise = pipeline(model="ana/musemo-recogniser", trust_remote_code=True)
    samples = np.sin(np.arange(44100) / 10).astype(np.float32)
    result["task"] = recognise.task
    result["recognised"] = recognise(samples, sampling_rate=44100)
    import soundfile
    soundfile.write("clip.wav", samples, 44100, subtype="FLOAT")
    stereo = np.stack([samples, samples], axis=1)
    row = {"array": samples, "sampling_rate": 44100}
    result["batch"] = recognise(["clip.wav", stereo, row], sampling_rate=44100, batch_size=2)
    def refused(call):
        try:
            call()
        except Exception as error:
            return [type(error).__name__, str(error)]
    result["refused"] = [
        refused(lambda: recognise([])),
        refused(lambda: recognise(samples)),
        refused(lambda: recognise("none.wav")),
        refused(lambda: recognise(3)),
        refused(lambda: recognise("clip.wav", sample_rate=1)),
    ]
    quality = evaluate.load("ana/spectrogram_quality")
    slope = -np.arange(128)[:, None] / 4
    noise = [np.random.default_rng(i).normal(-10, 10, (40, 128, 16)) for i in (0, 1)]
    real, fake = (np.repeat(side, 4, axis=2).astype(np.float32) + slope for side in noise)
    quality.add_batch(references=real)
    quality.add_batch(predictions=fake)
    result["quality"] = json.dumps(quality.compute(), sort_keys=True, default=float)
    ccc = evaluate.load("ana/concordance_correlation")
    result["ccc"] = ccc.compute(predictions=[0.1, 0.2, 0.5], references=[0.0, 0.3, 0.4])["ccc"]
    import sys
    result["package"] = [name for name in sys.modules if name.partition(".")[0] == "musemo_hf"]
"""


@pytest.fixture(scope="module")
def without_package(pushed, new_client):
    return new_client().run(RUN_CARD + WITHOUT_PACKAGE, package=False)


def test_a_second_push_makes_no_commit(pushed):
    assert pushed == dict.fromkeys(REPOSITORIES, 1)


def test_a_private_repository_is_made_private(hub, pushed):
    assert hub.repository("models", "ana/musemo-generator").private
    assert not hub.repository("models", "ana/musemo").private


def test_repositories_hold_what_the_contract_lists(hub, pushed):
    files = {kind: set(hub.files(*where)) for kind, where in REPOSITORIES.items()}
    code = {"mel.py", "decoding.py", "inversion.py", "feature_extraction_musemo.py", "preprocessor_config.json"}
    model = {"README.md", "config.json", "model.safetensors"}
    assert files["generator"] >= model | code | {"modeling_gan.py", "configuration_gan.py", "samples/spectrograms.png"}
    assert len([path for path in files["generator"] if path.startswith("samples/") and path.endswith(".flac")]) == 5
    assert files["generator"] >= {"discriminator/config.json", "discriminator/model.safetensors", "report.json"}
    assert b"| Quality score | 12.50 |" in hub.files(*REPOSITORIES["generator"])["README.md"]
    assert files["recogniser"] >= model | code | {"modeling_vit.py", "configuration_vit.py", "music_to_emotion.py"}
    assert files["pipeline"] >= {"README.md", "model_index.json", "generator/config.json"}
    assert files["pipeline"] >= {"generator/model.safetensors", "feature_extractor/preprocessor_config.json"}
    assert files["dataset"] == {".gitattributes", "README.md", "excerpt_10s/train-00000-of-00001.parquet"}
    assert files["metric"] >= {"README.md", "app.py", "spectrogram_quality.py", "requirements.txt", "reducer.py"}
    card = hub.files(*REPOSITORIES["metric"])["README.md"].decode()
    assert '>>> metric = evaluate.load("ana/spectrogram_quality")' in card
    assert "musemo_hf" not in card
    assert files["space"] >= {"README.md", "app.py", "musemo_hf/__init__.py", "musemo_hf/hub_cards/space.md.jinja2"}


def test_only_safetensors_are_pushed(hub, pushed):
    for where in REPOSITORIES.values():
        for path in hub.files(*where):
            assert not re.search(r"\.(pkl|pickle|bin|pt|pth|ckpt)$|optimizer|random_states", path), path


def test_the_generator_comes_back_with_the_package(with_package):
    assert with_package["generator"]
    assert with_package["extractor"] == 32
    assert with_package["auto"] == "musemo_hf.models.gan.modeling_gan", "no remote code where the package is"


def test_a_tag_names_a_revision(with_package):
    assert with_package["tagged"]


def test_models_load_although_the_hub_answers_429_and_503_and_breaks_off(with_package):
    assert with_package["generator"]
    assert min(with_package["faults"]) > 1, "the client must have met the faults"


def test_without_a_hub_the_cache_serves_and_what_it_lacks_is_said(with_package):
    """The same home, and no Hub any more."""
    offline = Client("http://127.0.0.1:9", with_package["home"], TOKEN)
    seen = offline.run("""
        import time, torch
        from musemo_hf import MusemoGanGenerator
        time.sleep = lambda seconds: None
        generator = MusemoGanGenerator.from_pretrained("ana/musemo-generator")
        result = [generator.generate(emotion=torch.tensor([[0.8, 0.7]]), seed=0).flatten()[::997].tolist()]
        try:
            MusemoGanGenerator.from_pretrained("ana/never-seen")
        except OSError as error:
            result.append(str(error))
    """)
    assert seen[0] == with_package["mels"]
    assert "couldn't connect" in seen[1]
    assert "Check your internet connection" in seen[1]


def test_a_stranger_to_a_private_repository_is_told_so(with_package):
    assert "private" in with_package["stranger"]


def test_both_pipelines_make_the_same_song(with_package):
    assert with_package["pipelines"] == ["MusemoPipeline", "MusemoPipeline"]
    assert with_package["songs"] == [True, True]


def test_a_recogniser_in_a_repository_is_no_generator(with_package):
    assert len(with_package["wrong"]) == 3
    for message in with_package["wrong"]:
        assert re.search("expected (a generator|the configuration of a musemo_gan).*musemo_vit", message)
    assert with_package["status"] == [1, 0]


def test_the_registered_task_recognises(with_package):
    module, plain = with_package["registered"]
    assert module == "musemo_hf.pipelines.music_to_emotion"
    assert plain == with_package["recognised"]
    assert all(-1 <= plain[name] <= 1 for name in ("valence", "arousal"))


def test_the_data_set_is_the_builders_row_by_row_mapped_and_streamed(with_package):
    assert with_package["rows"] == [5, 5, 5]
    assert with_package["equal"] == [True, True]
    assert with_package["features"]


def test_models_load_without_the_package(without_package, with_package):
    assert without_package["modules"] == ["transformers_modules"] * 2
    assert without_package["mels"] == with_package["mels"]
    assert without_package["audio"] == [1, 15435 + 437]
    assert "trust_remote_code" in without_package["untrusted"]
    assert without_package["package"] == []


def test_the_pipeline_and_the_snippets_of_the_hub_work_without_the_package(hub, without_package, with_package):
    assert without_package["pipeline mels"] == with_package["mels"]
    assert without_package["snippets"] == ["MusemoGanGenerator", "MusemoViTForEmotionRegression"]
    generator, recogniser = without_package["cards"]
    assert (generator["generator"], generator["audio"]) == ("MusemoGanGenerator", "Tensor")
    assert recogniser["recognise"] == "MusicToEmotionPipeline"
    assert with_package["cards"][0]["song"] == "Song"
    assert with_package["cards"][1]["songs"] == "Dataset"
    cards = {kind: hub.files(*REPOSITORIES[kind])["README.md"].decode() for kind in REPOSITORIES}
    for kind in ("generator", "recogniser"):
        assert "library_name: transformers\n" in cards[kind]
    assert "library_name: musemo_hf\n" in cards["pipeline"], "a prompt in, an image out is no use for it"
    assert not any("pipeline_tag" in card for card in cards.values())


def test_the_recogniser_is_a_pipeline_without_the_package(without_package, with_package):
    assert without_package["task"] == "music-emotion-recognition"
    assert without_package["recognised"] == with_package["recognised"]
    file, stereo, row = without_package["batch"]
    assert file == pytest.approx(without_package["recognised"], abs=1e-5)
    for answer in (stereo, row):
        assert answer == pytest.approx(without_package["recognised"], abs=1e-6)


def test_what_the_recogniser_cannot_hear_is_named(without_package):
    empty, no_rate, no_file, number, option = without_package["refused"]
    assert empty == ["ValueError", "expected at least one clip, got an empty list"]
    assert "sampling_rate" in no_rate[1]
    assert no_file[0] == "FileNotFoundError"
    assert "got int" in number[1]
    assert "sample_rate" in option[1]


def test_metrics_compute_without_the_package(without_package, with_package):
    assert without_package["quality"] == with_package["quality"]
    assert json.loads(with_package["quality"])["quality_score"] > 0
    assert without_package["ccc"] == with_package["ccc"] > 0


@pytest.mark.usefixtures("with_package", "without_package")
def test_the_token_is_written_nowhere(hub, root, tmp_path_factory):
    secret = TOKEN.encode()
    for repository in hub.repositories.values():
        for commit in repository.commits:
            assert secret not in commit.message.encode()
            assert not [path for path, content in commit.files.items() if secret in content]
    folders = [root, *tmp_path_factory.getbasetemp().glob("home*")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 100, "the caches must be among these"
    assert not [path for path in files if secret in path.read_bytes()]


def test_the_space_carries_the_package_and_starts(hub, pushed, new_client):
    client = new_client()
    code = "from huggingface_hub import snapshot_download\n"
    folder = client.run(code + "result = snapshot_download('ana/musemo-space', repo_type='space')")
    files = hub.files(*REPOSITORIES["space"])
    assert b"USER/NAME" not in files["README.md"]
    assert b"ana/musemo-space" in files["README.md"]
    assert not re.search(rb"^musemo", files["requirements.txt"], re.MULTILINE), "it lies beside the page"
    done = client.start(["-c", "import app, musemo_hf; print(musemo_hf.__file__)"], cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == f"{folder}/musemo_hf/__init__.py"
