"""Models in use: emotion to music, and music to emotion.

The diffusers pipeline that generates songs, the transformers pipeline that recognises emotion, the path of a song's
emotion over time, and pseudo-labelling of unlabelled songs.
"""
