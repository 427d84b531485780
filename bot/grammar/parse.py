"""``parse``: one line in, one value or one sentence out. Pure: reads no clock, asks nobody, never raises."""

from bot.grammar import commands as c
from bot.grammar.clean import clean
from bot.grammar.forms import FORMS, FREEZE, NAMES, PLAN, Form, Line, check_options
from bot.grammar.options import Options, take_options
from bot.grammar.patterns import Stopped, explained, matched
from bot.grammar.refusal import Refusal, Refused, meant, sentence, shown
from bot.grammar.tokens import Cursor, Token, tokenize
from runbooks.request import Request

LONGEST_REASON = 300


def parse(text: str) -> c.Command | Refusal:
    """What the line behind ``/tb`` means, or why it means nothing. An empty line is a call for help."""
    try:
        line = clean(text)
        tokens, options = take_options(tokenize(line))
        return _command(line, tokens, options)
    except Refused as exc:
        return Refusal(sentence(str(exc)))


def _command(line: str, tokens: tuple[Token, ...], options: Options) -> c.Command:
    if not tokens:
        return c.Help()
    first = tokens[0].text.lower()
    if first == "help":
        return _help(tokens)
    if first == "freeze":
        check_options(FREEZE, options)
        return c.Freeze(_reason(tokens[1:]), options.env)
    if first == "plan":
        return _plan(line, tokens[1:], options)
    forms = [form for form in FORMS if form.name == first]
    if not forms:
        raise Refused(
            f"I do not know {shown(tokens[0].text)}" + (meant(first, NAMES) or "; `help` lists what I understand")
        )
    return _fitting(line, tokens, options, forms)


def _fitting(line: str, tokens: tuple[Token, ...], options: Options, forms: list[Form]) -> c.Command:
    stops: list[Stopped] = []
    for form in forms:
        try:
            caught = matched(form.elements, Cursor(line, tokens))
        except Stopped as stop:
            stops.append(stop)
            continue
        check_options(form, options)
        return form.make(Line(line, caught, options))
    raise Refused(explained(stops, Cursor(line, tokens)))


def _plan(line: str, rest: tuple[Token, ...], options: Options) -> Request:
    if not rest:
        raise Refused("`plan` needs a command behind it, such as `plan migrate members add field x`")
    inner = _command(line, rest, options) if rest[0].text.lower() != "plan" else None
    if not isinstance(inner, Request):
        raise Refused(f"`plan` goes before `migrate`, `replicate` or `rename`; {shown(rest[0].text)} is none of them")
    check_options(PLAN, options)
    return inner.model_copy(update={"text": f"plan {line[rest[0].start :]}", "only": True})


def _help(tokens: tuple[Token, ...]) -> c.Help:
    if len(tokens) == 1:
        return c.Help()
    wanted = tokens[1].text.lower()
    if wanted not in NAMES:
        raise Refused(
            f"There is no command {shown(tokens[1].text)}" + (meant(wanted, NAMES) or "; `help` alone lists them all")
        )
    return c.Help(wanted)


def _reason(tokens: tuple[Token, ...]) -> str:
    reason = " ".join(t.text for t in tokens)
    if len(reason) > LONGEST_REASON:
        raise Refused(f"The reason has {len(reason)} characters, and at most {LONGEST_REASON} are kept")
    return reason
