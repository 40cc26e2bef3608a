r"""Measure whether a U-Net follows the loudness, the brightness and the tempo that it is asked for.

    python training/measure_conditions.py runs/unet/generator --config training/configs/unet_10s.yaml --data-dir DEAM \
        --hold-out 1

Emotions and values are those of songs of its training; the songs of the fold that is held out are not read. The script
writes conditions.md and conditions.json into the output folder.
"""

from musemo_hf import MusemoUNetGenerator
from musemo_hf.experiments.model_reports.conditions import conditions_table, measure_conditions
from musemo_hf.experiments.model_reports.scripts import measurement_parser, training_songs, write_measurement


def main() -> None:
    """Measure, and write the table."""
    parser = measurement_parser(__doc__, "The folder of a U-Net generator.", "runs/conditions")
    parser.add_argument("--n-clips", type=int, default=48, help="The number of clips of each condition.")
    arguments = parser.parse_args()
    songs, corpus = training_songs(arguments)
    generator = MusemoUNetGenerator.from_pretrained(arguments.generator)
    rows = measure_conditions(generator, songs, arguments.n_clips, bfloat16=arguments.bfloat16)
    write_measurement(arguments, "conditions", corpus, {"rows": rows}, conditions_table(rows))


if __name__ == "__main__":
    main()
