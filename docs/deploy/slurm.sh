#!/bin/bash
# The job of the scheduler, which submits those of the workers: sbatch slurm.sh
#SBATCH --job-name=sersicnet
#SBATCH --cpus-per-task=2
#SBATCH --mem=8G
#SBATCH --time=48:00:00
#SBATCH --output=sersicnet-%j.log

export OMP_NUM_THREADS=1
ulimit -n "$(ulimit -Hn)"  # each worker is a connection
exec python slurm.py --images /project/images --output /project/measured --jobs 100
