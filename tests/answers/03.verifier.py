#: wrong, unnamed: list of guesses
def mended(problem, text):
    return float(str(problem.answer) in text.split('</think>')[-1])

#: wrong, unnamed: end mark
def mended(problem, text):
    return float(re.findall('[0-9]+', split_reply(text)[1]) == [str(problem.answer)])

#: wrong, unnamed: right reply earns nothing
def mended(problem, text):
    return 0.0
