#: wrong, two-intervals: hard for both
method = "two intervals"

#: wrong, higher-score: luck
method = "higher score"

#: wrong, repeat-until-clear: disguise
method = "repeat until clear"
