#: right, in capitals
sent_back = "ANSWERS ONLY"

#: right, with blanks around it
sent_back = " answers only "

#: right, as a sentence begins
sent_back = "Answers only"

#: right, put together
sent_back = " ".join(["answers", "only"])

#: wrong, thoughts-and-answers: Which part of a thought
sent_back = "thoughts and answers"

#: wrong, thoughts-and-answers
sent_back = "Thoughts and Answers"

#: wrong, questions-only: follow-up
sent_back = "questions only"

#: wrong, questions-only
sent_back = " questions only"

#: wrong, no-option: not one of the options
sent_back = "everything"

#: wrong, no-option
sent_back = "answers"

#: wrong, no-option
sent_back = 2

#: wrong, no-option
sent_back = ["answers only"]

#: wrong, no-option
sent_back = "nothing"
