"""The inside of a network: its filters, what they answer, what a decision rests on, and how its classes lie.

Every module gives arrays and, apart from them, a `draw_...` function that makes one picture of them. Nothing assumes
grey images, 28x28 pixels or a certain network: layers are found by watching one image go through.
"""
