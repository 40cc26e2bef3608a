"""Models in use: emotion to music, and music to emotion.

The diffusers pipeline that generates songs, the transformers pipeline that predicts emotion, the emotion of a song over
time, and pseudo-labelling of unlabelled songs.
"""
