#: wrong, one-large-model-that-scores-higher: more reinforcement
false_if = "one large model that scores higher"

#: wrong, one-small-model-that-scores-higher: for the claim
false_if = "one small model that scores higher"

#: wrong, an-expert-who-doubts-it: not a measurement
false_if = "an expert who doubts it"

#: wrong, no-option: not one of the options
false_if = "nothing"
