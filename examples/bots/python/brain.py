"""What the agent thinks with. Put a model in its place: text in, text out."""

CANDIDATES = {"Ann": {"when": "on Thursday at 3", "where": "to room 12"}, "Bob": {"when": "on Friday at 10", "where": "to room 7"}}


def brain(text: str, history: list[str]) -> str:
    """The answer to `text`; `history` is what people said there before, the oldest first. Whom it is about may stand in either."""
    ask = "where" if "where" in text.lower() else "when"
    for said in [text, *reversed(history)]:
        for name, facts in CANDIDATES.items():
            if name in said:
                return f"{name} comes {facts[ask]}."
    return "Whom do you mean, Ann or Bob?"
