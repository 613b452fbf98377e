"""Supervised fine-tuning: TRL's SFTTrainer inside a Ray Train TorchTrainer."""
