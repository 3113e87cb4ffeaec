"""A trained network learns other characters from a few pictures: the ways, their trial, and the run that remains.

    pictures --task--> features --trial: cross-validation--> the best way --ways: learn--> network --outcome--> run

The ways differ in what they change. `heads` replaces the last layer by one that is solved for, by class means or by
logistic regression; `finetune` trains a last layer, or more, by gradient descent; `adding` keeps the old classes and
puts new columns beside theirs.
"""

# The ways that train by gradient descent; the others solve for the last layer. Here, since asking needs no torch.
TRAINED_WAYS = ("frozen", "finetune")
