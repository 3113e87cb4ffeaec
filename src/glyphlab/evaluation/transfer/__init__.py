"""From a folder of pictures to a model file: what `glyphlab transfer` does, around the learning in `training.transfer`.

Opening the base (a run, a model file, a network learned on ImageNet), preparing pictures as reading does, and judging
what came out need the rooms on both sides of training, which is why they are here.
"""
