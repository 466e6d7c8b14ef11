#: right, raw_decode
import json
def read_call(text):
    after = text.partition("<tool_call>")[2]
    try:
        call, _ = json.JSONDecoder().raw_decode(after.lstrip())
        return call["name"], call["arguments"]
    except (ValueError, TypeError, KeyError):
        return False

#: right, between the first pair of tags
import json, re
def read_call(text):
    found = re.search(r"<tool_call>(.*?)</tool_call>", text, re.DOTALL)
    if not found:
        return False
    try:
        call = json.loads(found[1])
    except json.JSONDecodeError:
        return False
    if not isinstance(call, dict) or "name" not in call:
        return False
    return call["name"], call["arguments"]

#: right, counting brackets in a loop
import json
def read_call(text):
    start = text.find("<tool_call>")
    if start < 0:
        return False
    start = text.find("{", start)
    if start < 0:
        return False
    depth = 0
    for end in range(start, len(text)):
        depth += (text[end] == "{") - (text[end] == "}")
        if depth == 0:
            call = json.loads(text[start : end + 1])
            return call["name"], call["arguments"]
    return False

#: right, longer and longer pieces, by recursion
import json
def read_call(text):
    if "<tool_call>" not in text:
        return False
    after = text.split("<tool_call>", 1)[1]
    def longer(end):
        if end > len(after):
            return False
        try:
            call = json.loads(after[:end])
        except ValueError:
            return longer(end + 1)
        return (call["name"], call["arguments"]) if isinstance(call, dict) else False
    return longer(1)

#: right, with the course's reader, as a list
from course_utils.agents import ToolCall, read_tool_calls
def read_call(text):
    calls = [c for c in read_tool_calls(text)[1] if isinstance(c, ToolCall)]
    return [calls[0].name, calls[0].arguments] if calls else False

#: wrong, error: stopped with an error
import re, json
def read_call(text):
    found = re.search(r"\{.*?\}", text, re.DOTALL)
    call = json.loads(found[0])
    return call["name"], call["arguments"]

#: wrong, not-read: a call and nothing else
import re, json
def read_call(text):
    found = re.search(r"\{.*?\}", text, re.DOTALL)
    try:
        call = json.loads(found[0])
        return call["name"], call["arguments"]
    except (ValueError, TypeError):
        return False

#: wrong, which-of-two: give the first
import json
def read_call(text):
    inside = text.partition("<tool_call>")[2].rpartition("</tool_call>")[0]
    try:
        call = json.loads(inside)
        return call["name"], call["arguments"]
    except (ValueError, TypeError):
        return False

#: wrong, which-of-two: give the first
import json, re
def read_call(text):
    found = re.findall(r"<tool_call>(.*?)</tool_call>", text, re.DOTALL)
    try:
        call = json.loads(found[-1])
        return call["name"], call["arguments"]
    except (ValueError, TypeError, IndexError):
        return False

#: wrong, words-before: words before the call
import json
def read_call(text):
    if not text.startswith("<tool_call>"):
        return False
    try:
        call, _ = json.JSONDecoder().raw_decode(text.removeprefix("<tool_call>").lstrip())
        return call["name"], call["arguments"]
    except (ValueError, TypeError):
        return False

#: wrong, whole-object: Take its two parts out
import json
def read_call(text):
    after = text.partition("<tool_call>")[2]
    try:
        return json.JSONDecoder().raw_decode(after.lstrip())[0]
    except ValueError:
        return False

#: wrong, swapped: the name first
import json
def read_call(text):
    after = text.partition("<tool_call>")[2]
    try:
        call, _ = json.JSONDecoder().raw_decode(after.lstrip())
        return call["arguments"], call["name"]
    except (ValueError, TypeError):
        return False

#: wrong, arguments-as-text: are a dictionary
import json
def read_call(text):
    after = text.partition("<tool_call>")[2]
    try:
        call, _ = json.JSONDecoder().raw_decode(after.lstrip())
        return call["name"], json.dumps(call["arguments"])
    except (ValueError, TypeError):
        return False

#: wrong, error: NameError
def read_call(text):
    inside = text.partition("<tool_call>")[2].partition("</tool_call>")[0]
    if not inside.strip().startswith("{"):
        return False
    call = eval(inside)
    return call["name"], call["arguments"]

#: wrong, no-name: JSON, but no object
import json
def read_call(text):
    inside = text.partition("<tool_call>")[2].partition("</tool_call>")[0]
    try:
        call = json.loads(inside)
    except ValueError:
        return False
    return tuple(call.values()) if isinstance(call, dict) else tuple(call)

#: wrong, endless: did not come to an end
def read_call(text):
    while "<tool_call>" in text:
        text = text.strip()
    return False

#: wrong, printed: prints and gives nothing back
import json
def read_call(text):
    after = text.partition("<tool_call>")[2]
    call, _ = json.JSONDecoder().raw_decode(after.lstrip())
    print(call["name"], call["arguments"])
