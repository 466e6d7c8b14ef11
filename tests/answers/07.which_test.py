#: right, in capitals
method = "MCNEMAR"

#: right, with blanks around it
method = "  McNemar "

#: right, with a line break
method = "McNemar\n"

#: right, put together
method = "Mc" + "nemar"

#: wrong, two-intervals: hard for both
method = "two intervals"

#: wrong, two-intervals
method = "TWO intervals"

#: wrong, higher-score: luck
method = "higher score"

#: wrong, repeat-until-clear: in disguise
method = "repeat until clear"

#: wrong, repeat-until-clear
method = " Repeat until clear "

#: wrong, no-option: not one of the options
method = "Holm"

#: wrong, no-option
method = 1

#: wrong, no-option
method = ["McNemar"]

#: wrong, no-option
method = ""
