#: right, in one paragraph
my_verdict = "The Qwen team published 79.5 on AIME 2024 and DeepSeek 79.8. With 30 problems the interval is almost thirty points wide, so neither leads. I would change my mind if a paired comparison on new problems showed a gap. In memory the smaller one wins by a factor of twenty, and that is what I would tell a school with one computer."

#: right, with a link
my_verdict = """By impact I mean cheaper use. The announcement, https://qwenlm.github.io/blog/qwq-32b/, has 66.4 on BFCL.
Whether that leads is not known: nobody else's figure was found. Unless someone measures both models with the same harness,
I say that it matters for memory and not for scores."""

#: right, counted here
my_verdict = """I counted 671 billion parameters from the config of R1 and 32.8 billion from that of QwQ-32B.
How much reinforcement learning went in, the announcement does not say. I would revise this if three sizes with equal training
showed a gap that stays."""

#: right, sure of little
my_verdict = """LiveBench has 71.96 for QwQ-32B and 71.57 for R1, measured by the board itself. That may be chance.
Five hundred paired judgements would convince me either way, and until then I would choose by memory and by price, and say so
to everyone who asks me."""

#: wrong, no-text: three quotation marks
my_verdict = 79.5

#: wrong, no-text
my_verdict = ["QwQ-32B wins."]

#: wrong, short: words
my_verdict = "QwQ-32B wins."

#: wrong, no-uncertainty: names an uncertainty
my_verdict = "The Qwen team published 79.5 on AIME 2024 and DeepSeek 79.8. DeepSeek leads, and that is that. I would change my mind if a paired comparison on new problems showed a gap. In memory the smaller one wins by a factor of twenty, and that is what I would tell a school with one computer."

#: wrong, no-test: change your mind
my_verdict = "The Qwen team published 79.5 on AIME 2024 and DeepSeek 79.8. With 30 problems the interval is almost thirty points wide, so neither leads. So it goes. In memory the smaller one wins by a factor of twenty, and that is what I would tell a school with one computer."

#: wrong, no-number-with-source: a number together with its source
my_verdict = "QwQ-32B is small and good, and I like it very much for its size and for its licence. Perhaps it is even better than R1, which I cannot tell from here. I would change my mind if somebody showed me that it is not so good."

#: wrong, parts-missing: of 3 parts are found
my_verdict = "QwQ-32B is the best model that there ever was, and everyone should use it for everything from now on, since it is small and open and free and very good at all things that matter to people like us."

#: wrong, parts-missing
my_verdict = "Claim 13 is wrong and claim 6 is wrong too and so are a dozen more of them, which shows that the article was written in a hurry and that nobody read it twice before it was printed in the paper."

#: wrong, no-number-with-source
my_verdict = "R1 and QwQ-32B are both from 2025, and both think before they answer. Which is better is not known to me. I would change my mind if I saw a paired comparison with a gap, on problems that are new to both of them."
