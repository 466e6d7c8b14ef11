#: right, in capitals
false_if = "THREE SIZES, EQUAL TRAINING, A GAP THAT STAYS"

#: right, with blanks around it
false_if = "  three sizes, equal training, a gap that stays "

#: right, with a line break
false_if = "three sizes, equal training, a gap that stays\n"

#: right, put together
false_if = " ".join(["three", "sizes,", "equal", "training,", "a", "gap", "that", "stays"])

#: wrong, one-large-model-that-scores-higher
false_if = "one large model that scores higher"

#: wrong, one-large-model-that-scores-higher: with more reinforcement
false_if = "One Large Model that scores higher"

#: wrong, one-small-model-that-scores-higher: speak for the claim
false_if = "one small model that scores higher"

#: wrong, an-expert-who-doubts-it: not a measurement
false_if = "an expert who doubts it"

#: wrong, an-expert-who-doubts-it
false_if = " an expert who doubts it"

#: wrong, no-option: not one of the options
false_if = "three sizes"

#: wrong, no-option
false_if = 4

#: wrong, no-option
false_if = ("three sizes, equal training, a gap that stays",)

#: wrong, no-option
false_if = ""
