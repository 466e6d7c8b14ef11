#: wrong, unnamed: words
my_verdict = "Yes, because it is better than R1."

#: wrong, unnamed: 0 of 3
my_verdict = "QwQ-32B is the better model of the two, since R1 is so much larger and so much harder to run at home. Everyone will use it, and that is a large impact on R1 and on its makers, too."

#: wrong, unnamed: 2 of 3
my_verdict = "On LiveBench the board itself has 69.5 against 72.49 in its third edition, which is within the noise of six categories. So nobody can tell which of the two models is better, and the impact of QwQ-32B is small."

#: wrong, unnamed: text
my_verdict = 42
