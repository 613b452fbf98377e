#!/bin/bash
# An ablation on Slurm: one Ray node on each Slurm node, the study on the first of them.
#
#   sbatch --nodes=2 --gpus-per-node=8 docs/cluster/slurm.sh data_ablation --out /shared/results/data_ablation
#
# Run from the checkout, on a file system that all nodes share (so is --out). A job that ran out of time or lost a node
# is submitted again with the same line: what is finished is not done again.
#SBATCH --job-name=s1-harness
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --time=24:00:00
#SBATCH --output=%x-%j.log
# Five minutes before the end the driver is told to stop cleanly.
#SBATCH --signal=INT@300
set -euo pipefail

# A secret of this job's own, which Ray's nodes and the driver ask each other for.
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN
export PATH="$PWD/.venv/bin:$PATH"  # `ray symmetric-run` calls `ray`

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
# `ray symmetric-run` starts Ray on every node, runs the command on the head node, and stops Ray everywhere.
exec srun --ntasks="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 --kill-on-bad-exit=0 \
    ray symmetric-run --address "$head:6379" --min-nodes "$SLURM_JOB_NUM_NODES" -- \
    harness ablate "$@"
