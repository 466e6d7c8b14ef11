#: right, in capitals
control = "THE BASE, ASKED BETTER"

#: right, with blanks around it
control = "  the base, asked better "

#: right, with a line break
control = "the base, asked better\n"

#: right, put together
control = ", ".join(["the base", "asked better"])

#: wrong, a-larger-thinker: what size does
control = "a larger thinker"

#: wrong, a-larger-thinker
control = "A larger THINKER"

#: wrong, the-thinker-asked-twice: how steady
control = "the thinker, asked twice"

#: wrong, a-hundred-more-sums: luck of the questions
control = "a hundred more sums"

#: wrong, no-option: not one of the options
control = "the base"

#: wrong, no-option
control = "the base, asked better, and a larger thinker"

#: wrong, no-option
control = 1

#: wrong, no-option
control = ["the base, asked better"]

#: wrong, no-option
control = ""
