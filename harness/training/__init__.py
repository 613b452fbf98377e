"""Supervised fine-tuning: TRL's SFTTrainer inside a Ray Train TorchTrainer."""

KEPT_CHECKPOINTS = 2  # while one is written, the one before is still there
