r"""Choose the deviation of a trained GAN's noise on the songs that it was trained on, and write it into its folder.

    python training/choose_noise_scale.py runs/gan_10s/generator --config training/configs/gan_10s.yaml \
        --data-dir DEAM --hold-out 0

Prints KID against training songs for each scale. The scale with the least becomes `noise_scale` in config.json.
"""

from accelerate import Accelerator

from musemo_hf import MusemoGanGenerator
from musemo_hf.pipelines.generators import load_generator
from musemo_hf.runner.argument_types import real, whole
from musemo_hf.training.checkpoint import save_model
from musemo_hf.training.clips import Clips
from musemo_hf.training.configuration import load_configuration
from musemo_hf.training.corpus import hold_out, load_songs
from musemo_hf.training.gan.noise_scale import kernel_distances, some_clips
from musemo_hf.training.launch import generator_parser, of_kind


def main() -> None:
    """Compare the scales, choose one and write it."""
    parser = generator_parser(__doc__, "The folder of a generator that was trained without the fold.")
    parser.add_argument(
        "--scales", type=real(above=True), nargs="+", default=[1.0, 1.25, 1.5, 1.75, 2.0, 2.5], help="The scales."
    )
    parser.add_argument("--n-clips", type=whole(2), default=400, help="The number of training songs.")
    arguments = parser.parse_args()
    generator = of_kind(parser, load_generator(arguments.generator), MusemoGanGenerator)
    configuration = load_configuration(arguments.config)
    songs, _ = load_songs(configuration.data, arguments.data_dir, Accelerator())
    clips = some_clips(Clips.of_songs(hold_out(songs, arguments.hold_out)), arguments.n_clips)
    distances = kernel_distances(generator, clips, arguments.scales)
    for scale, kid in distances.items():
        print(f"noise scale {scale:g}: KID {kid:.3f} against {len(clips)} training songs")
    generator.config.noise_scale = min(distances, key=distances.__getitem__)
    save_model(generator, arguments.generator)
    print(f"{arguments.generator}: noise_scale {generator.config.noise_scale:g}")


if __name__ == "__main__":
    main()
