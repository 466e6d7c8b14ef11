"""What do the nano models read beside arithmetic? Short everyday sentences, and small talk.

The sentences follow a grammar of their own: who someone is, where they are, what they have, do
and feel.  Names, pronouns and things stay the same through a text, so that there is something to
be fluent at: the next word depends on words far back.
"""

from __future__ import annotations

from random import Random

from course_utils.nano.tasks import NAMES, Language

ENGLISH = {
    "who": ("child", "farmer", "teacher", "baker", "doctor", "painter"),
    "mood": ("happy", "tired", "hungry", "kind", "quiet", "brave"),
    "place": ("garden", "kitchen", "school", "park", "market", "forest"),
    "animal": ("cat", "dog", "bird", "horse", "rabbit"),
    "colour": ("red", "blue", "green", "white", "black", "yellow"),
    "thing": ("ball", "hat", "cup", "book", "kite", "box"),
    "spot": (
        "under the tree",
        "on the table",
        "by the window",
        "behind the door",
        "near the river",
    ),
    "food": ("bread", "soup", "rice", "an apple", "some cake"),
    "time": ("In the morning", "At noon", "In the evening", "At night"),
    "weather": ("It is raining", "The sun shines", "It is cold", "The wind blows", "It is snowing"),
}
CHINESE = {
    "who": ("孩子", "农民", "老师", "医生", "画家"),
    "mood": ("高兴", "累", "饿", "安静", "勇敢"),
    "place": ("花园", "厨房", "学校", "公园", "市场", "森林"),
    "animal": ("猫", "狗", "鸟", "马", "兔子"),
    "colour": ("红", "蓝", "绿", "白", "黑", "黄"),
    "thing": ("球", "帽子", "杯子", "书", "风筝", "盒子"),
    "spot": ("树下", "桌子上", "窗边", "门后", "河边"),
    "food": ("面包", "汤", "米饭", "苹果", "蛋糕"),
    "time": ("早上", "中午", "傍晚", "晚上"),
    "weather": ("下雨了", "太阳出来了", "天很冷", "起风了", "下雪了"),
}

STORY = "{story}"
SMALL_TALK: dict[Language, tuple[tuple[tuple[str, ...], str, str], ...]] = {
    "en": (
        (
            ("Hello!", "Hello", "Hi!", "Hi", "Good morning!", "Hey"),
            "A greeting. I greet back.",
            "Hello! Ask me a sum, and I will think it through.",
        ),
        (
            ("Who are you?", "What are you?", "What is your name?", "who are you"),
            "They ask who I am. I tell the truth.",
            "I am a nano model, trained in this course. I am very small.",
        ),
        (
            ("What can you do?", "How can you help me?", "Help!", "What do you know?"),
            "They ask what I can do. I name it.",
            "I can add and subtract numbers of up to three digits, and solve small stories.",
        ),
        (
            ("Thank you!", "Thanks!", "Thank you", "Thanks"),
            "Thanks. I stay polite.",
            "You are welcome!",
        ),
        (("How are you?", "How do you do?"), "Small talk. I stay polite.", "I am fine. And you?"),
        (("Goodbye!", "Bye!", "Bye"), "A farewell.", "Goodbye!"),
        (("Tell me a story.", "Tell me something."), "They want a story. I tell one.", STORY),
    ),
    "zh": (
        (
            ("你好！", "你好", "您好！", "早上好！"),
            "这是问候。我也问好。",
            "你好！请给我一道算术题。",
        ),
        (
            ("你是谁？", "你叫什么名字？", "你是什么？", "你是谁"),
            "问我是谁。我说实话。",
            "我是这门课训练的一个很小的模型。",
        ),
        (
            ("你会做什么？", "你能做什么？", "你会什么？"),
            "问我会什么。我说出来。",
            "我会三位数以内的加减法，也会做简单的应用题。",
        ),
        (("谢谢！", "谢谢", "谢谢你！"), "对方道谢。我要客气。", "不客气！"),
        (("你好吗？", "最近好吗？"), "这是闲谈。我要客气。", "我很好。你呢？"),
        (("再见！", "再见"), "这是告别。", "再见！"),
        (("讲个故事吧。", "给我讲个故事。"), "想听故事。我讲一个。", STORY),
    ),
}
"""(ways to say it, the thought, the reply), per language; ``STORY`` stands for a new story."""


def story(random: Random, language: Language) -> str:
    """A text of four to six short sentences about one person."""
    return _english(random) if language == "en" else _chinese(random)


def small_talk(random: Random, language: Language) -> tuple[str, str, str]:
    """A remark, the thought it calls for, and the reply."""
    remarks, thought, reply = random.choice(SMALL_TALK[language])
    return random.choice(remarks), thought, story(random, language) if reply == STORY else reply


def _english(random: Random) -> str:
    w = {key: random.choice(words) for key, words in ENGLISH.items()}
    name, they = random.choice(NAMES["en"])
    w |= {"name": name, "they": they, "They": they.capitalize()}
    w["their"], w["them"] = ("her", "her") if they == "she" else ("his", "him")
    w["other"] = random.choice([n for n, _ in NAMES["en"] if n != name])
    middle = [
        "{They} has a {colour} {thing}. The {thing} is {spot}.",
        "{They} has a {colour} {animal}. The {animal} sleeps {spot}.",
        "{They} looks for {their} {thing}. It is {spot}.",
        "{They} gives {other} a {colour} {thing}. {other} likes the {thing}.",
        "{time}, {they} goes to the {place}. {weather}.",
        "{They} meets {other} in the {place}. {other} is {mood}.",
        "{time}, {they} eats {food}. Then {they} is happy.",
        "{They} sees a {animal} in the {place}. The {animal} is {colour}.",
        "{weather}, so {they} stays in the {place}.",
    ]
    opening = random.choice(
        (
            "{name} is a {who}. {They} is {mood}.",
            "{name} is in the {place}. {They} is {mood}.",
            "{weather}. {name} is {mood}.",
            "{time}, {name} is in the {place}. {They} is {mood}.",
        )
    )
    ending = random.choice(
        ("{time}, {they} goes home.", "{They} reads a book and sleeps.", "{name} is happy now.")
    )
    return " ".join([opening, *random.sample(middle, 2), ending]).format(**w)


def _chinese(random: Random) -> str:
    w = {key: random.choice(words) for key, words in CHINESE.items()}
    name, they = random.choice(NAMES["zh"])
    w |= {"name": name, "they": they}
    w["other"] = random.choice([n for n, _ in NAMES["zh"] if n != name])
    middle = [
        "{they}有一个{colour}色的{thing}。{thing}在{spot}。",
        "{they}有一只{colour}色的{animal}。{animal}在{spot}睡觉。",
        "{they}在找{thing}。{thing}在{spot}。",
        "{they}送给{other}一个{colour}色的{thing}。{other}很喜欢这个{thing}。",
        "{time}，{they}去{place}。{weather}。",
        "{they}在{place}遇见{other}。{other}很{mood}。",
        "{time}，{they}吃{food}。{they}很高兴。",
        "{they}在{place}看见一只{animal}。{animal}是{colour}色的。",
        "{weather}，{they}留在{place}里。",
    ]
    opening = random.choice(
        (
            "{name}是{who}。{they}很{mood}。",
            "{name}在{place}。{they}很{mood}。",
            "{weather}。{name}很{mood}。",
            "{time}，{name}在{place}。{they}很{mood}。",
        )
    )
    ending = random.choice(
        ("{time}，{they}回家了。", "{they}看完书就睡觉了。", "{name}现在很高兴。")
    )
    return "".join([opening, *random.sample(middle, 2), ending]).format(**w)
