"""Reads what people say around a command: thanks, greetings, questions, courtesy, and commands in other words. Pure."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from bot.commands.command_table import BY_NAME
from bot.commands.parameters import SETTING_KEYS
from bot.patchwork.references import read_ref
from bot.query.keys import begins_with_key

YOU_ARE_WELCOME: Final = "👍"
_KIND_WORDS: Final = (
    r"thanks|thank\s?(?:you|u)|thx|thnx|tnx|ty|tysm|cheers|danke|merci|gracias|ok|okay|great|perfect|nice|cool|awesome"
    r"|super|good|well\s+done|got\s+it|alright|yes|yep|sure|appreciated|bye|goodbye|lgtm"
)
_THANKS: Final = re.compile(
    rf"(?:(?:{_KIND_WORDS}|many|so|very|much|a\s+lot|bot|patchbot|job|work|done|for|your|the|help|that|this|again|then"
    r"|and|all)\b[\s,.!?:;)-]*)+",
    re.IGNORECASE,
)
_KIND: Final = re.compile(rf"\b(?:{_KIND_WORDS})\b", re.IGNORECASE)
_THANKFUL: Final = frozenset("👍🙏👌❤🎉😀😃😄😊🙂🙌💯✅👏😍🥳🚀")
_GREETING: Final = re.compile(
    r"(?:hi|hello|hey|hallo|hola|moin|yo|good (?:morning|evening|afternoon|day)|greetings|start)\b"
    r"(?:\s+(?:there|bot|patchbot|all|everyone))?[\s,.!:;-]*",
    re.IGNORECASE,
)
_AFTER_ALSO: Final = "show|(?:un)?sub|find|test|diff|help|checks|comments|mute|set"  # else it is the command
_REQUEST: Final = re.compile(
    r"(?:(?:please|pls|plz|kindly|just|now|then|ok|okay|so|and|bot"
    rf"|also(?=\s+(?:{_AFTER_ALSO})\b)|(?:can|could|would|will) (?:you|u|we|i)"
    r"|i(?: would|'d)? (?:want|like|need) (?:you )?to|i wanna|let'?s|let us|go ahead and|try to)\b[\s,]*)+",
    re.IGNORECASE,
)
_CLOSING: Final = re.compile(
    r"(?<=\S)[\s,;]+(?:please|pls|plz|thanks|thank you|thx|ty|cheers)(?:[\s,.!]+(?:a lot|so much|in advance))?\s*\Z",
    re.IGNORECASE,
)
_QUESTION: Final = re.compile(
    r"(?:how|what|what'?s|whats|where|where'?s|when|who|which|why|is|are|am|do|does|did|can|could|should|may|will"
    r"|i (?:do not|don'?t|cannot|can'?t|want|need|would like)|help me)\b\s+\S",
    re.IGNORECASE,
)
_FILLED_VERB: Final = re.compile(r"(sub|unsub|test|find)\s+(?:me\s+)?(?:to|for|on)\s+", re.IGNORECASE)
_BY_NAME: Final = re.compile(
    r"(sub|test|find)\s+(?:all\s+)?(?:(?:patches|series|mails?)\s+)?(?:from|by|of)\s+(\S+@\S+|[^\s:]+(?:\s[^\s:]+)?)",
    re.IGNORECASE,
)
_MY_ADDRESS: Final = re.compile(
    r"(?:my|the)\s+(?:e-?mail\s+|mail\s+)?(?:address|e-?mail|mail)(?:\s+address)?\s+is\s+(\S+@\S+)", re.IGNORECASE
)
_ARE_YOU_WELL: Final = re.compile(
    r"(?:are|is|r)\s+(?:you|u|it|this|the bot|everything|all|anybody|anyone)\s+(?:still\s+)?"
    r"(?:working|alive|up|down|ok|okay|there|running|awake|broken|online|dead|well|fine)\b.*",
    re.IGNORECASE,
)
_LISTS: Final = re.compile(
    r"(?:show|list|get|see|view|print|display)\s+(?:me\s+)?(?:all\s+)?(?:(?:the|my|our|current)\s+)*"
    r"(subs|subscriptions|status|settings|rooms|help|version|commands|export|config)\b(?:\s+here)?[.!?]*\Z",
    re.IGNORECASE,
)
_QUEUES: Final = (
    (
        re.compile(
            r"(?:(?:show|list|get|see|view|open|print|give|what(?:'?s| is)?(?: in| on)?)\s+)?(?:me\s+)?"
            r"(?:(?:the|my|our|this|current)\s+)?(?:review\s+)?queue\b(?:\s+here)?[.!?]*",
            re.IGNORECASE,
        ),
        "queue",
    ),
    (re.compile(r"(?:what(?:'?s| is)|show(?: me)?) mine[.!?]*", re.IGNORECASE), "queue mine"),
    (
        re.compile(
            r"(?:whose turn(?: is it)?|what(?:'?s| is) (?:waiting|pending|open|to do|my turn|on my plate)"
            r"(?: for me| here| now)?|what (?:should|can|must|do) i (?:have to )?(?:do|review)(?: next| today| now)?)"
            r"[.!?]*",
            re.IGNORECASE,
        ),
        "queue",
    ),
    (re.compile(r"what needs (?:a |to be )?review(?:ed|ing)?(?: here| now)?[.!?]*", re.IGNORECASE), "queue review"),
    (re.compile(r"what(?:'?s| is) (?:failing|broken)(?: here| now)?[.!?]*", re.IGNORECASE), "queue failing"),
    (re.compile(r"what(?:'?s| is) ready(?: to (?:merge|apply))?(?: here| now)?[.!?]*", re.IGNORECASE), "queue ready"),
)
_TIME_ZONE: Final = re.compile(r"\b(?:time[\s-]zone|tz|zone)\b", re.IGNORECASE)
_SETTING: Final = re.compile(
    rf"(?:set|settings|setting|config|change)?\s*({'|'.join(SETTING_KEYS)}|notifications?|notif)\b[\s:=]*(.*)",
    re.IGNORECASE | re.DOTALL,
)
_SETTING_NAMES: Final = {"notifications": "notify", "notification": "notify", "notif": "notify"}
_SENTENCE_END: Final = re.compile(r"(?<=[^\W_])[.!…]+\s*\Z|(?<=[/>)\"'])\s*[.!?…]+\s*\Z|\s+[.!?…]+\s*\Z")
_ADDRESS: Final = re.compile(r"<?(?:[^\W\d_][._+-]?){2,}\d{0,3}@[\w-]+(?:\.[\w-]+)+>?[.,;!?]*")  # ids have more digits
_OPEN_RANGE: Final = re.compile(r"diff\s+(?:v[\d.]*\d)?\s*\.\.", re.IGNORECASE)  # two dots that end no sentence
_VERB_END: Final = ".,:;!?…"


@dataclass(frozen=True, slots=True)
class Courtesy:
    """Something friendly that asks for nothing; *reaction* is the emoji that answers it."""

    reaction: str = YOU_ARE_WELCOME


def read_phrase(text: str) -> str | Courtesy:
    """Return *text* as a verb and what follows it, without courtesy; a question becomes a request for help.

    Text in which nothing is recognized is returned without emoji and full stops around it.
    """
    bare = _without_emoji(text)
    if _is_thanks(text, bare):
        return Courtesy()
    bare = _without_courtesy(bare)
    if queue := next((command for pattern, command in _QUEUES if pattern.fullmatch(bare)), ""):
        return queue
    if not bare or _is_known(bare):
        return _spelled_out(bare)
    if _ARE_YOU_WELL.fullmatch(bare):
        return "status"
    if _QUESTION.match(bare):
        return f"help {bare}"
    return _spelled_out(bare)


def _without_courtesy(text: str) -> str:
    """Return *text* without greetings, requests and thanks around it; "help" if it was nothing but a greeting."""
    bare = text
    if (greeting := _GREETING.match(bare)) is not None:
        bare = bare[greeting.end() :] or "help"
    if (request := _REQUEST.match(bare)) is not None and _is_known(rest := bare[request.end() :] or "help"):
        bare = rest
    shorter = _CLOSING.sub("", bare)
    bare = shorter if len(shorter.split()) > 1 or _is_known(shorter) else bare
    return bare.strip() if _OPEN_RANGE.fullmatch(bare) else _SENTENCE_END.sub("", bare).strip()


def _spelled_out(text: str) -> str:
    """Return a command that was said in other words as a verb with its arguments."""
    if (listed := _LISTS.match(text)) is not None:
        return listed[1]
    if (mine := _MY_ADDRESS.fullmatch(text)) is not None:
        return f"me {mine[1]}"
    if _is_reference(text) and _verb(text) not in BY_NAME:
        return f"show {text}"
    return _setting_spelled_out(text) or _verb_spelled_out(text)


def _setting_spelled_out(text: str) -> str:
    """Return `set` with a setting and its value, or help on a setting without one; "" if *text* is about none."""
    setting = _SETTING.fullmatch(_TIME_ZONE.sub("timezone", text, count=1))
    if setting is None or (begins_with_key(text) and setting[2]):
        return ""
    key = _SETTING_NAMES.get(setting[1].lower(), setting[1].lower())
    return f"set {key} {setting[2]}" if setting[2].strip(" ?.!") else f"help {key}"


def _verb_spelled_out(text: str) -> str:
    """Return *text* with its verb as the table has it, and without small words behind it."""
    verb, rest = _verb(text), text[len(text.split(maxsplit=1)[0]) :] if text.split() else ""
    if verb == "set" and not rest.strip():
        return "settings"
    if verb == "why" and rest.strip(" ?.!") and not rest.strip().lower().startswith("this"):
        return f"help {text}"
    if (command := BY_NAME.get(verb)) is None:
        return text
    filled = _FILLED_VERB.sub(r"\1 ", f"{command.verb}{rest}")
    if (named := _BY_NAME.fullmatch(filled)) is None:
        return filled
    name = f'"{named[2]}"' if " " in named[2] else named[2]
    return f"{named[1]} from:{name}"


def _is_known(text: str) -> bool:
    """Return whether *text* begins with a verb, with a reference, or says a command in other words."""
    if not text:
        return False
    first, second = [*text.lower().split(maxsplit=2), "", ""][:2]
    return (
        _verb(text) in BY_NAME
        or f"{first} {second.rstrip(_VERB_END)}" in BY_NAME
        or _is_reference(text)
        or _LISTS.match(text) is not None
    )


def _is_reference(text: str) -> bool:
    """Return whether *text* is a reference, and not rather somebody's address."""
    return read_ref(text) is not None and _ADDRESS.fullmatch(text) is None


def _verb(text: str) -> str:
    """Return the first word of *text* as a verb: in lower case, without signs of other bots and of punctuation."""
    first = text.split(maxsplit=1)[0].lower() if text.split() else ""
    bare = first.lstrip("/!.").rstrip(_VERB_END)
    return bare if bare in BY_NAME else first


def _is_thanks(text: str, bare: str) -> bool:
    if not bare:
        return any(char in _THANKFUL for char in text)
    return _THANKS.fullmatch(bare) is not None and _KIND.search(bare) is not None


def _without_emoji(text: str) -> str:
    """Return *text* without the emoji at its beginning and end; in between they may belong to a subject."""
    start, end = 0, len(text)
    while start < end and (_is_emoji(text[start]) or text[start].isspace()):
        start += 1
    while end > start and (_is_emoji(text[end - 1]) or text[end - 1].isspace()):
        end -= 1
    return text[start:end]


def _is_emoji(char: str) -> bool:
    if char in "\ufe0f\u200d":  # what joins emoji
        return True
    return unicodedata.category(char) in {"So", "Sk"} and char not in "`^\ufffd"
