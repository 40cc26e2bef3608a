r"""Measure a flow or a U-Net at several numbers of sampling steps and scales of guidance, on songs of its training.

    python training/measure_steps.py runs/unet/generator --config training/configs/unet_10s.yaml --data-dir DEAM \
        --hold-out 1 --steps 1 2 4 8 20

The songs of the fold that is held out are not read. Of the others, some are asked for and compared with, and songs of
other artists are what real music is. The script writes steps.md and steps.json into the output folder. What decides is
the skill through sound, in the space of YAMNet (see `measure_generator.py`); `--no-sound` leaves it out. What is chosen
here, such as a scale of guidance, has to be chosen in another space: `--embedder` names a recogniser that was trained
without the fold, and adds distances in the space of its pooled features.
"""

from musemo_hf import MusemoFlowGenerator, MusemoPipeline, MusemoUNetGenerator, MusemoViTForEmotionRegression
from musemo_hf.experiments.model_reports.scripts import measurement_parser, training_songs, write_measurement
from musemo_hf.experiments.model_reports.steps import divide_by_artist, measure_steps, steps_table
from musemo_hf.experiments.sound_sets import SoundSets
from musemo_hf.pipelines.embedders.recogniser import recogniser_embedder
from musemo_hf.pipelines.embedders.yamnet import yamnet_embedder
from musemo_hf.runner.argument_types import real, whole
from musemo_hf.training.launch import of_kind


def main() -> None:
    """Measure, and write the table."""
    parser = measurement_parser(__doc__, "The folder of a generator or of a pipeline.", "runs/steps")
    parser.add_argument("--steps", type=whole(), nargs="+", default=[1, 2, 4, 8, 20], help="The numbers of steps.")
    parser.add_argument(
        "--guidance", type=real(), nargs="+", default=[None], help="Scales of guidance (default: its own)."
    )
    parser.add_argument("--n-clips", type=whole(), default=96, help="The largest number of clips of each way.")
    parser.add_argument("--n-others", type=whole(), default=400, help="The largest number of songs of other artists.")
    parser.add_argument("--no-sound", action="store_true", help="Leave out what another model hears, which decides.")
    parser.add_argument("--no-descriptors", action="store_true", help="Make clips of which no descriptors are drawn.")
    parser.add_argument("--embedder", help="A folder of a recogniser, in whose features arrays are compared too.")
    arguments = parser.parse_args()
    pipeline = MusemoPipeline.from_pretrained(arguments.generator)
    of_kind(parser, pipeline.generator, MusemoFlowGenerator, MusemoUNetGenerator)
    if arguments.no_descriptors:
        if getattr(pipeline.generator, "prior", None) is None:
            parser.error(f"expected a U-Net with descriptors with --no-descriptors, got {arguments.generator} without")
        pipeline.generator.prior = None
    songs, corpus = training_songs(arguments)
    asked, others = divide_by_artist(songs, arguments.n_clips, arguments.n_others)
    pipeline.set_progress_bar_config(disable=True)
    sounds = None if arguments.no_sound else SoundSets(yamnet_embedder())
    embedder = None
    if arguments.embedder is not None:
        embedder = recogniser_embedder(MusemoViTForEmotionRegression.from_pretrained(arguments.embedder))
    ways = arguments.steps, sounds, arguments.bfloat16, arguments.guidance
    rows = measure_steps(pipeline, asked, others, *ways, embedder)
    figures = {"n_asked": len(asked), "n_others": len(others), "rows": rows}
    write_measurement(arguments, "steps", corpus, figures, steps_table(rows))


if __name__ == "__main__":
    main()
