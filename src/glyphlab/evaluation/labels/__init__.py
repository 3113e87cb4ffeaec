"""Wrong labels: found by out-of-sample scores, reviewed, corrected in a new set."""
