#: right, in capitals
false_if = "THREE SIZES, EVER MORE TRAINING FOR SMALL ONES, A GAP THAT STAYS"

#: right, with blanks around it
false_if = "  three sizes, ever more training for small ones, a gap that stays "

#: right, with a line break
false_if = "three sizes, ever more training for small ones, a gap that stays\n"

#: right, put together
false_if = ", ".join(["three sizes", "ever more training for small ones", "a gap that stays"])

#: wrong, equal-training: expects the larger model
false_if = "three sizes, equal training, a gap that stays"

#: wrong, equal-training: that gets more
false_if = "Three sizes, equal training, a gap that stays "

#: wrong, one-large-model-that-scores-higher
false_if = "one large model that scores higher"

#: wrong, one-large-model-that-scores-higher: with more reinforcement
false_if = "One Large Model that scores higher"

#: wrong, one-small-model-that-scores-higher: speak for the claim
false_if = "one small model that scores higher"

#: wrong, no-option: not one of the options
false_if = "three sizes"

#: wrong, no-option
false_if = 4

#: wrong, no-option
false_if = ("three sizes, ever more training for small ones, a gap that stays",)

#: wrong, no-option
false_if = ""
