#: right, in capitals
shows_need = "THE LOSS ON DIGITS WITHOUT IT"

#: right, with blanks around it
shows_need = "  the loss on digits without it "

#: right, with a line break
shows_need = "the loss on digits without it\n"

#: right, put together
shows_need = " ".join(["the", "loss", "on", "digits", "without", "it"])

#: wrong, share: Another expert might
shows_need = "its share of the digits"

#: wrong, share
shows_need = "Its Share of the DIGITS"

#: wrong, bits
shows_need = "bits that the expert tells about the kind"

#: wrong, load
shows_need = "its load"

#: wrong, load
shows_need = " ITS LOAD "

#: wrong, no-option: not one of the options
shows_need = "the loss"

#: wrong, no-option
shows_need = 1

#: wrong, no-option
shows_need = ["its load"]

#: wrong, no-option
shows_need = ""
