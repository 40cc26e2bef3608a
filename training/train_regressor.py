"""Train the recogniser on real songs.

    accelerate launch training/train_regressor.py --config training/configs/deam_10s.yaml --data-dir DEAM

Resumes from the last checkpoint in the output folder. The result is `recogniser/` with its
`preprocessor_config.json`, for `from_pretrained`, and `report.json`, which its card is filled from; with
`--hold-out FOLD` it reports the agreement on that fold, on which nothing is trained or calibrated. This reads the fold,
so that docs/fold-readings.md gets a line. A second reading is allowed and says so: a recogniser that calibrates or
judges a generator is trained again without the fold that the generator holds out, and not chosen by it.

With `recogniser.uncertainty=true` it also predicts a deviation, from errors and from the raters' spread. A tenth of the
training songs, by artists of its own, is then used for calibration instead of training, and the report says how many
labels lie in the intervals: of the held-out fold, or of that tenth if there is none.

With `recogniser.network=false`, as in recogniser_statistics_10s.yaml and recogniser_yamnet_10s.yaml, nothing is trained
by gradients: kernel regression is fitted in closed form. `evaluate_recognisers.py` measures these out of fold.
"""

import json
from pathlib import Path

from musemo_hf import MusemoFeatureExtractor, MusemoViTConfig
from musemo_hf.experiments.model_reports.recogniser import build_recogniser_report
from musemo_hf.experiments.recognisers.comparison import embed_songs
from musemo_hf.files import atomic_folder, atomic_write
from musemo_hf.reporting.fold_readings import FoldReading, append_reading, check_reading, read_log, today, weights_hash
from musemo_hf.training.corpus import hold_out, load_songs
from musemo_hf.training.identity import origin_of
from musemo_hf.training.launch import command, finish, parse_arguments, start
from musemo_hf.training.recogniser.calibrated_training import train_recogniser

CONFIGS = Path(__file__).parent / "configs"
LOG = Path(__file__).resolve().parent.parent / "docs" / "fold-readings.md"
NOTE = "evaluated at the end of its training"


def main() -> None:
    """Train, save recogniser and extractor, and report."""
    arguments = parse_arguments(__doc__, CONFIGS / "demo.yaml", "runs/regressor", "hold-out", "log", "note")
    configuration, accelerator = start(arguments)
    songs, corpus = load_songs(configuration.data, arguments.data_dir, accelerator)
    n_frames, training = songs.spectrogram.shape[-1], configuration.recogniser_training
    config = MusemoViTConfig(n_frames=n_frames, **configuration.recogniser)
    if config.embedder is not None and (arguments.data_dir is None or arguments.hold_out is not None):
        raise SystemExit(
            "expected --data-dir and no --hold-out for a recogniser with an embedder; "
            "evaluate_recognisers.py measures it out of fold"
        )
    log = arguments.log or LOG
    read_log(log)  # a broken log ends here, and not after the training
    training_songs = hold_out(songs, arguments.hold_out)
    embedding = None if config.embedder is None else embed_songs(songs, arguments.data_dir, config.embedder)
    origin = origin_of(training_songs, configuration.data, arguments.hold_out)
    trained = train_recogniser(
        config,
        training,
        training_songs,
        arguments.output_dir,
        accelerator,
        origin,
        arguments.accept_other_hardware,
        embedding,
    )
    if accelerator.is_main_process:
        folder = arguments.output_dir / "recogniser"
        report = build_recogniser_report(
            trained,
            songs,
            arguments.hold_out,
            corpus,
            command(),
            budget=arguments.config.stem,
            seeds=[training.seed],
        )
        with atomic_folder(folder) as partial:
            trained.model.save_pretrained(partial)
            MusemoFeatureExtractor(n_frames=n_frames).save_pretrained(partial)
            atomic_write(partial / "report.json", json.dumps(report, indent=1))
        if arguments.hold_out is not None and not corpus["procedural"]:  # whose songs are made, as many as are wanted
            reading = FoldReading(
                today(),
                corpus["name"],
                str(arguments.hold_out),
                arguments.config.stem,
                str(training.seed),
                weights_hash(folder),
                command(),
                "; ".join(filter(None, [NOTE, arguments.note])),
            )
            append_reading(log, check_reading(log, reading, read_again=True))
        print("\n".join([f"recogniser: {folder}", *report["findings"]]))
    finish(accelerator)


if __name__ == "__main__":
    main()
