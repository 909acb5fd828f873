"""Twenty small tasks whose answers must fit one of four schemas: nested, choices, a list, numbers within bounds."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Address(_Form):
    """Where somebody lives."""

    street: str
    city: str


class Person(_Form):
    """Somebody with an address."""

    name: str
    age: int = Field(ge=0, le=130)
    address: Address


class Mail(_Form):
    """What a message is about."""

    topic: Literal["delivery", "invoice", "complaint", "other"]
    urgent: bool
    summary: str = Field(min_length=1)


class Item(_Form):
    """A line of a list."""

    what: str
    amount: int = Field(ge=1)


class Shopping(_Form):
    """A shopping list."""

    items: list[Item] = Field(min_length=1)


class Review(_Form):
    """A judgement in numbers."""

    stars: int = Field(ge=1, le=5)
    sure: float = Field(ge=0, le=1)
    praises: list[str]
    blames: list[str]


_PERSON = "Who is this? Give name, age, and address with street and city.\n\n"
_MAIL = "What is the topic of this message (delivery, invoice, complaint or other), is it urgent, what does it say?\n\n"
_SHOPPING = "What is to be bought, and how much of it?\n\n"
_REVIEW = "How many stars (1 to 5) does this review give, how sure (0 to 1) are you, what is praised, what blamed?\n\n"

Task = tuple[type[BaseModel], str]
_TEXTS: tuple[tuple[type[BaseModel], str, tuple[str, ...]], ...] = (
    (
        Person,
        _PERSON,
        (
            "Ada Moreau, 34, has moved to 12 Mill Lane in Ghent.",
            "On her 80th birthday Ines Costa still lives in Rua Nova 7, Porto.",
            "The form says: Tomas Novak, born 25 years ago, Dlouha 18, Prague.",
            'Everybody calls him "Mo": Mohamed Farah, forty-one, 3 Hill Street, Leeds.',
            "Little Yuki Tanaka is six; her family has a flat in Sakura Avenue 22, Kyoto.",
        ),
    ),
    (
        Mail,
        _MAIL,
        (
            "My parcel should have come on Monday. The party is tonight! Where is it?",
            "Please send me the bill for October when you find the time.",
            "The kettle leaks, and this is the third one. I am not pleased at all.",
            "Thank you for the nice evening. Greetings to the team.",
            "You have charged me twice; correct it today or I stop the payment.",
        ),
    ),
    (
        Shopping,
        _SHOPPING,
        (
            "We need a dozen eggs and two loaves of bread.",
            "Bring 3 lemons, 1 cucumber and six bottles of water.",
            "Just one thing: five light bulbs.",
            "For the cake: four apples, one bag of flour, two packs of butter.",
            "Ten envelopes, ten stamps and a pen, please.",
        ),
    ),
    (
        Review,
        _REVIEW,
        (
            "Lovely soup, friendly people, but we waited for an hour. Still, I will be back.",
            "Never again. Cold food, rude waiter.",
            "Perfect from the first bite to the last.",
            "It was all right. The room was small, the bed was good.",
            "Great screen, terrible battery: I do not know what to think.",
        ),
    ),
)
# One of each schema in turn, so that a part of them is a fair sample too.
TASKS: tuple[Task, ...] = tuple(
    (form, question + texts[number]) for number in range(5) for form, question, texts in _TEXTS
)
