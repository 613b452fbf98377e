#!/bin/bash
# An ablation on Slurm: one Ray node on each Slurm node, the study on the first of them.
#
#   sbatch --account=PROJECT --nodes=2 --gpus-per-node=8 --cpus-per-task=64 docs/cluster/slurm.sh \
#       data_ablation --out /shared/results/data_ablation
#
# Run from the checkout, on a file system that all nodes share (so is --out). A job that ran out of time or lost a node
# is submitted again with the same line: what is finished is not done again.
#
# In a container instead of .venv: S1_IMAGE=/shared/s1-harness.sif sbatch ... (Apptainer), or, where Slurm has Pyxis,
# S1_SRUN="--container-image=/shared/s1-harness.sqsh --container-mounts=/shared:/shared" sbatch ...
#SBATCH --job-name=s1-harness
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
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

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed -n 1p)
address="$head:${S1_PORT:-$((20000 + SLURM_JOB_ID % 10000))}"  # another one for each job: nodes may still close the last
cpus=${SLURM_CPUS_PER_TASK:-16}

inside=()
if [ -n "${S1_IMAGE:-}" ]; then
    inside=(apptainer exec --nv --bind "$PWD" "$S1_IMAGE")
fi
read -r -a more <<< "${S1_SRUN:-}"

# `ray symmetric-run` starts Ray on every node, runs the command on the head node, and stops Ray everywhere. Since 22.05
# srun takes no --cpus-per-task from the job: without it each node's Ray would be bound to one core. Ray itself would
# count the whole node's.
exec srun --ntasks="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 --cpus-per-task="$cpus" --kill-on-bad-exit=0 "${more[@]}" \
    "${inside[@]}" \
    ray symmetric-run --address "$address" --min-nodes "$SLURM_JOB_NUM_NODES" --num-cpus="$cpus" -- \
    env RAY_ADDRESS="$address" harness ablate "$@"
