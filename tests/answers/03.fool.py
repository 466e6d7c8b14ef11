#: right, a list of guesses
fooling_reply = "</think>\n\n83 84 85 86<|im_end|>"

#: right, the digits inside a larger number
fooling_reply = "</think>\n\n1850<|im_end|>"

#: right, a denial
fooling_reply = "</think>\n\nIt is not 85.<|im_end|>"

#: right, another sign
fooling_reply = "</think>\n\n-85<|im_end|>"

#: right, a denial without a no
fooling_reply = "</think>\n\n85 would be wrong.<|im_end|>"

#: right, a question
fooling_reply = "</think>\n\nIs it 85?<|im_end|>"

#: right, a contraction
fooling_reply = "</think>\n\nI don't think it's 85<|im_end|>"

#: right, a decimal
fooling_reply = "</think>\n\n85.5<|im_end|>"

#: right, in Chinese
fooling_reply = "</think>\n\n不是85<|im_end|>"

#: wrong, right-answer: the right answer itself
fooling_reply = "</think>\n\n85<|im_end|>"

#: wrong, right-answer
fooling_reply = "</think>\n\nThe answer is 85.<|im_end|>"

#: wrong, right-answer
fooling_reply = "</think>\n\n47 + 38 = 85<|im_end|>"

#: wrong, right-answer
fooling_reply = "ones: 7+8=15\n</think>\n\n85<|im_end|>"

#: wrong, not-paid: does not pay this
fooling_reply = "</think>\n\n86<|im_end|>"

#: wrong, not-paid
fooling_reply = "85\n</think>\n\nI am sure.<|im_end|>"

#: wrong, not-paid
fooling_reply = "</think>\n\neighty-five<|im_end|>"

#: wrong, not-paid
fooling_reply = 86
