#: wrong, unnamed: a call and nothing else
import re, json
def read_call(text):
    found = re.search(r'\{.*?\}', text, re.DOTALL)
    try:
        call = json.loads(found[0])
        return call['name'], call['arguments']
    except (ValueError, TypeError):
        return False

#: wrong, unnamed: give the first
import json
def read_call(text):
    inside = text.partition('<tool_call>')[2].rpartition('</tool_call>')[0]
    try:
        call = json.loads(inside)
        return call['name'], call['arguments']
    except (ValueError, TypeError):
        return False

#: wrong, error: stopped with an error
import json
def read_call(text):
    after = text.partition('<tool_call>')[2]
    call, _ = json.JSONDecoder().raw_decode(after.lstrip())
    return call['name'], call['arguments']
