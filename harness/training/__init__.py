"""Supervised fine-tuning: TRL's SFTTrainer in processes of Ray's."""
