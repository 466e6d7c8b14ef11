#: right, in capitals
sent_back = "QUESTIONS AND ANSWERS"

#: right, with blanks around it
sent_back = " questions and answers "

#: right, as a sentence begins
sent_back = "Questions and answers"

#: right, put together
sent_back = " ".join(["questions", "and", "answers"])

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
sent_back = ["questions and answers"]

#: wrong, no-option
sent_back = "nothing"
