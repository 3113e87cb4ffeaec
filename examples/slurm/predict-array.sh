#!/bin/bash
# Answers for millions of pictures on a Slurm cluster: an array job, one part of the work a task.
#
#     find /data/shards -name '*.tar' | sort > list.txt
#     job=$(sbatch --parsable --array=1-16 predict-array.sh list.txt answers)
#     sbatch --dependency=afterok:"$job" --wrap "glyphlab job merge answers answers.csv"
#
# Each task writes answers/part-NN-of-16.csv. A task that is preempted, times out or crashes goes on where it stopped
# when it is submitted again (--requeue does so by itself); nothing is answered twice. `glyphlab job status answers`
# says how far all parts are. Number the array from 1, without gaps: the task's number is the part's.
#SBATCH --job-name=glyphlab-predict
#SBATCH --cpus-per-task=2
#SBATCH --mem=1G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=predict-%A-%a.log

set -eu
list=${1:?"usage: sbatch --array=1-N predict-array.sh LIST ANSWERS [options of glyphlab job predict]"}
answers=${2:?"usage: sbatch --array=1-N predict-array.sh LIST ANSWERS [options of glyphlab job predict]"}
shift 2

exec glyphlab job predict "$list" --out "$answers" \
  --part "${SLURM_ARRAY_TASK_ID:?"submit it with --array=1-N"}/${SLURM_ARRAY_TASK_COUNT:?}" \
  --threads "${SLURM_CPUS_PER_TASK:-1}" "$@"
