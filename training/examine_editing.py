r"""Measure what a U-Net makes of real songs of its training: variations, and the seams of infilling and continuation.

    python training/examine_editing.py runs/unet/generator --config training/configs/unet_10s.yaml --data-dir DEAM \
        --hold-out 1

The songs of the fold that is held out are not read. Some of the other songs are changed, and songs of other artists are
what they are compared with, through sound, in the space of YAMNet. The script writes editing.md and editing.json into
the output folder.
"""

from musemo_hf import MusemoPipeline, MusemoUNetGenerator
from musemo_hf.experiments.model_reports.scripts import measurement_parser, training_songs, write_measurement
from musemo_hf.experiments.model_reports.seams import measure_seams, seams_table
from musemo_hf.experiments.model_reports.steps import divide_by_artist
from musemo_hf.experiments.model_reports.variations import measure_variations, variations_table
from musemo_hf.experiments.sound_sets import SoundSets
from musemo_hf.pipelines.embedders.yamnet import yamnet_embedder
from musemo_hf.runner.argument_types import real, whole
from musemo_hf.training.launch import of_kind


def main() -> None:
    """Measure, and write the tables."""
    parser = measurement_parser(__doc__, "The folder of a U-Net generator or of its pipeline.", "runs/editing")
    what = "The strengths of variations."
    parser.add_argument("--strengths", type=real(0, 1), nargs="+", default=[0.2, 0.4, 0.6, 0.8, 1.0], help=what)
    parser.add_argument("--n-songs", type=whole(), default=48, help="The largest number of songs that are changed.")
    parser.add_argument("--n-others", type=whole(), default=400, help="The largest number of songs of other artists.")
    parser.add_argument("--n-journeys", type=whole(), default=8, help="The number of journeys.")
    parser.add_argument("--no-sound", action="store_true", help="Measure the seams alone, without YAMNet.")
    arguments = parser.parse_args()
    pipeline = MusemoPipeline.from_pretrained(arguments.generator)
    of_kind(parser, pipeline.generator, MusemoUNetGenerator)
    songs, corpus = training_songs(arguments)
    sources, others = divide_by_artist(songs, arguments.n_songs, arguments.n_others)
    pipeline.set_progress_bar_config(disable=True)
    seams = measure_seams(pipeline, sources, arguments.n_journeys, arguments.bfloat16)
    varied = []
    if not arguments.no_sound:
        strengths, sounds = arguments.strengths, SoundSets(yamnet_embedder())
        varied = measure_variations(pipeline.generator, sources, others, strengths, sounds, arguments.bfloat16)
    figures = {"n_songs": len(sources), "n_others": len(others), "variations": varied, "seams": seams}
    tables = seams_table(seams) if not varied else f"{variations_table(varied)}\n{seams_table(seams)}"
    write_measurement(arguments, "editing", corpus, figures, tables)


if __name__ == "__main__":
    main()
