"""Where the steps run: the pipeline's stages, Ray's workers and engines."""
