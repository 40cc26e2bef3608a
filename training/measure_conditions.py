r"""Measure whether a U-Net follows the loudness, brightness, tempo and genre that it is asked for.

    python training/measure_conditions.py runs/unet/generator --config training/configs/unet_10s.yaml --data-dir DEAM \
        --hold-out 1

Emotions, values and genres are those of songs of its training; the songs of the fold that is held out are not read. A
model with genres is asked for each of them, and its clips are classified as real songs are: through sound, in the space
of YAMNet (see `measure_generator.py`), which `--no-sound` leaves out, and in our own statistics. The script writes
conditions.md and conditions.json into the output folder.
"""

from musemo_hf import MusemoUNetGenerator
from musemo_hf.experiments.model_reports.conditions import conditions_table, measure_conditions
from musemo_hf.experiments.model_reports.genres import genres_table, measure_genres
from musemo_hf.experiments.model_reports.scripts import measurement_parser, training_songs, write_measurement
from musemo_hf.experiments.sound_sets import SoundSets
from musemo_hf.pipelines.embedders.yamnet import yamnet_embedder
from musemo_hf.pipelines.generators import load_generator
from musemo_hf.runner.argument_types import whole
from musemo_hf.training.launch import of_kind


def main() -> None:
    """Measure, and write the tables."""
    parser = measurement_parser(__doc__, "The folder of a U-Net generator.", "runs/conditions")
    parser.add_argument(
        "--n-clips", type=whole(0), default=48, help="The number of clips of each condition; 0 for none."
    )
    parser.add_argument(
        "--n-emotions", type=whole(0), default=16, help="The number of clips of each genre; 0 for none."
    )
    parser.add_argument("--n-songs", type=whole(), help="The largest number of songs for the genres (default: all).")
    parser.add_argument("--steps", type=whole(), help="The number of sampling steps (default: the model's own).")
    parser.add_argument("--no-sound", action="store_true", help="Leave out the genres that another model hears.")
    arguments = parser.parse_args()
    generator = of_kind(parser, load_generator(arguments.generator), MusemoUNetGenerator)
    songs, corpus = training_songs(arguments)
    if arguments.steps:
        generator.register_to_config(num_inference_steps=arguments.steps)
    figures, tables = {}, []
    if arguments.n_clips:
        rows = measure_conditions(generator, songs, arguments.n_clips, bfloat16=arguments.bfloat16)
        figures["rows"] = rows
        tables.append(conditions_table(rows))
    if arguments.n_emotions and generator.config.genres:
        sounds = None if arguments.no_sound else SoundSets(yamnet_embedder())
        sizes = (arguments.n_emotions, sounds, arguments.n_songs)
        genres = measure_genres(generator, songs, *sizes, bfloat16=arguments.bfloat16)
        figures["genres"] = genres
        tables.append(genres_table(genres))
    write_measurement(arguments, "conditions", corpus, figures, "\n".join(tables))


if __name__ == "__main__":
    main()
