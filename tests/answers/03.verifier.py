#: right, the end mark cut off first
def mended(problem, text):
    if not text.endswith(END):
        return 0
    answer = split_reply(text)[1]
    return 1 if re.findall(r"-?\d+", answer) == [str(problem.answer)] else 0

#: right, a loop over the characters
def mended(problem, text):
    answer = split_reply(text)[1]
    numbers, now = [], ""
    for character in answer + " ":
        if character.isdigit() or (character == "-" and not now):
            now += character
        else:
            if now.strip("-"):
                numbers.append(now)
            now = ""
    return float(text.endswith(END) and numbers == [str(problem.answer)])

#: right, numbers as numbers
def mended(problem, text):
    _, answer = split_reply(text)
    numbers = [int(number) for number in re.findall(r"-?[0-9]+", answer)]
    return len(numbers) == 1 and numbers[0] == problem.answer and text.endswith(END)

#: right, one pattern for the whole reply
def mended(problem, text):
    form = r"(?s).*</think>[^0-9-]*" + str(problem.answer) + r"[^0-9]*" + re.escape(END)
    return float(re.fullmatch(form, text) is not None)

#: right, with early returns
def mended(problem, text):
    thought, answer = split_reply(text)
    found = re.findall("-?[0-9]+", answer)
    if len(found) != 1:
        return 0.0
    if found[0] != str(problem.answer):
        return 0.0
    if text[-len(END):] != END:
        return 0.0
    return 1.0

#: right, as an array of one number
def mended(problem, text):
    import numpy as np
    numbers = re.findall(r"-?[0-9]+", split_reply(text)[1])
    return np.float32(numbers == [str(problem.answer)] and text.endswith(END))

#: wrong, list-paid: list of guesses
def mended(problem, text):
    return float(str(problem.answer) in text.split('</think>')[-1])

#: wrong, no-end-paid: end mark
def mended(problem, text):
    return float(re.findall('[0-9]+', split_reply(text)[1]) == [str(problem.answer)])

#: wrong, right-unpaid: right reply earns nothing
def mended(problem, text):
    return 0.0

#: wrong, words-unpaid: Words around
def mended(problem, text):
    answer = split_reply(text)[1]
    return float(text.endswith(END) and answer.strip() == str(problem.answer))

#: wrong, one-problem-only: Another sum
def mended(problem, text):
    numbers = re.findall(r"-?[0-9]+", split_reply(text)[1])
    return float(text.endswith(END) and numbers == ["85"])

#: wrong, wrong-paid: A wrong number
def mended(problem, text):
    return float(len(re.findall("[0-9]+", split_reply(text)[1])) == 1)

#: wrong, digits-inside-paid: inside a larger number
def mended(problem, text):
    answer = split_reply(text)[1]
    one = len(re.findall("[0-9]+", answer)) == 1
    return float(one and str(problem.answer) in answer and text.endswith(END))

#: wrong, negative-paid: The negative
def mended(problem, text):
    numbers = re.findall("[0-9]+", split_reply(text)[1])
    return float(text.endswith(END) and numbers == [str(problem.answer)])

#: wrong, thought-paid: in the thought
def mended(problem, text):
    numbers = re.findall("-?[0-9]+", text.replace(END, ""))
    return float(numbers[-1] == str(problem.answer) and len(re.findall("[0-9]+", split_reply(text)[1])) < 2)

#: wrong, printed: end it with `return`
def mended(problem, text):
    numbers = re.findall("-?[0-9]+", split_reply(text)[1])
    print(float(text.endswith(END) and numbers == [str(problem.answer)]))

#: wrong, error: stopped with an error
def mended(problem, text):
    return float(int(split_reply(text)[1].split()[3]) == problem.answer)

#: wrong, endless
def mended(problem, text):
    while not text.endswith("!"):
        text = text[1:] + text[:1]
    return 1.0
