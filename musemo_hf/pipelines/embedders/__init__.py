"""Embedders of audio: pretrained models that turn sound into feature vectors, under versioned names.

`find_embedder` takes the name of a registered embedder, "yamnet", or the repository or folder of a Hugging Face audio
model. `sound_features` computes and caches the features of audio files and of log-mels.
"""
