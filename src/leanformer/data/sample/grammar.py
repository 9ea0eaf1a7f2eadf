"""The grammar of the generated sample: requests to the helpdesk of an invented travel shop that issues its own card.

Names in braces are slots, filled by random draws from `SLOTS`. Intents come in neighbouring pairs that share words and
a few ambiguous requests.
"""

from __future__ import annotations

SLOTS: dict[str, tuple[str, ...]] = {
    "item": (
        *("kettle", "lamp", "rucksack", "raincoat", "tent", "suitcase", "blanket", "camera", "sleeping bag"),
        *("water bottle", "pair of boots", "folding chair", "torch", "map case", "travel pillow"),
    ),
    "trip": (
        *("flight", "hotel room", "train ticket", "ferry", "cabin", "walking tour", "night bus", "rental car"),
        *("city break", "boat trip", "seat", "holiday"),
    ),
    "place": ("Lisbon", "Oslo", "Vienna", "Galway", "Turin", "Bergen", "Lyon", "Prague", "the lakes", "the coast"),
    "time": (
        *("yesterday", "last week", "on Monday", "this morning", "two days ago", "three weeks ago", "in March"),
        *("last night", "on Friday", "over the weekend", "a month ago", "before Easter"),
    ),
    "date": ("next week", "Thursday", "the tenth of May", "early June", "a later day", "the weekend", "another month"),
    "money": ("twelve euros", "40 euros", "ninety pounds", "65 pounds", "two hundred euros", "18 pounds", "the fee"),
    "person": ("my wife", "my brother", "a friend", "my daughter", "my father", "a colleague", "my neighbour"),
}

OPENERS = (
    *("hello", "hi there", "good morning", "good evening", "excuse me", "dear team", "quick question", "hey"),
    *("sorry to bother you", "I hope you are well", "me again", "to whom it may concern"),
)
CLOSERS = (
    *("please", "thank you", "thanks a lot", "many thanks", "please help", "I would be grateful", "can you help"),
    *("please answer soon", "I am waiting for your reply", "what should I do", "is there anything you can do"),
)

# Clauses around the request that mention another matter: they contain its words, but it is not the intent.
BEFORE = (
    "this is not about {other}, but",
    "you have already settled {other}, and now",
    "last time I wrote about {other}, today",
    "forget what I said about {other},",
    "{person} wrote to you about {other}, while in my case",
    "I was going to ask about {other}, but that can wait,",
    "thanks for your help with {other}, one more thing,",
)
AFTER = (
    "and this has nothing to do with {other}",
    "but {other} is no longer a problem",
    "and please do not answer about {other} again",
    "while {other} was dealt with {time}",
    "so never mind my earlier message about {other}",
    "unlike {person}, who asked about {other}",
)

# Clauses that repeat a complete request of another intent, which is then not the one that is meant.
BEFORE_QUOTED = (
    "your bot understood {other}, but what I said is",
    "the answer I got was for {other}, my question is",
    "{person} may have said {other}, I say",
)
AFTER_QUOTED = (
    "which your bot took for {other}",
    "and please do not read that as {other}",
    "while {person} would say {other}",
)

# Requests, by intent.
REQUESTS: dict[str, tuple[str, ...]] = {
    "card_lost": (
        "I lost my card {time}",
        "my card was stolen in {place}",
        "my wallet is gone and the card was in it",
        "I cannot find my card since the trip to {place}",
        "please block my card because somebody took it",
        "I left my card in a taxi {time}",
        "can you freeze the card that {person} lost in {place}",
        "the card is missing and I want it stopped",
    ),
    "card_delivery": (
        "my new card has not come yet",
        "when will the card reach me",
        "I ordered a card {time} and it is still not in the post",
        "how long does a new card take to arrive",
        "you sent my card to an old address",
        "the envelope came without a card in it",
        "can I have the new card sent to {place}",
        "has the card for {person} been posted",
    ),
    "refund_request": (
        "I want my money back for the {item}",
        "please give me a refund for the {trip} to {place}",
        "I returned the {item} and would like a refund",
        "how do I claim {money} back for the {trip}",
        "can I be paid back for the {item} that {person} did not like",
        "you should refund {money} because the {trip} was shut",
        "I would like to send back the {item} for a refund",
        "the {trip} was not as described and I ask for a refund",
    ),
    "refund_status": (
        "when will my refund for the {item} come",
        "you promised a refund {time} and I see nothing",
        "how is my refund of {money} getting on",
        "the refund for the {trip} is still not on my account",
        "you approved my refund {time}, where is the money",
        "is there any news on the refund for {person}",
        "only part of the refund arrived, the rest of {money} is open",
        "can you check how far my refund is",
    ),
    "booking_change": (
        "I need to move my {trip} to {date}",
        "can I change the {trip} to {place} to {date}",
        "please put my {trip} under the name of {person}",
        "I want to add {person} to my booking for {place}",
        "is it possible to swap the {trip} for a later one",
        "I booked the wrong day for the {trip}",
        "my {trip} should go to {place} instead",
        "what does it cost to change the booking to {date}",
    ),
    "booking_cancel": (
        "I want to cancel my {trip} to {place}",
        "please call off the {trip} on {date}",
        "we can no longer travel to {place}, take us off the booking",
        "{person} is ill so we have to cancel the {trip}",
        "how do I cancel a booking that I made {time}",
        "I booked the {trip} twice, delete one of them",
        "can the booking for {place} still be cancelled",
        "drop the {trip} for {person} from our booking",
    ),
    "delivery_late": (
        "my parcel with the {item} has not arrived",
        "the {item} was due {time}",
        "where is the parcel that I ordered {time}",
        "the driver never came with my {item}",
        "the tracking page for the {item} has not moved since {time}",
        "how much longer will the delivery of the {item} take",
        "the parcel for {person} was meant to be here {time}",
        "your delivery to {place} is very late",
    ),
    "item_damaged": (
        "the {item} arrived broken",
        "there is a crack in the {item} that I got {time}",
        "the parcel was torn and the {item} is scratched",
        "my {item} stopped working {time}",
        "the zip of the {item} came off on the first day",
        "I received a {item} with a part missing",
        "the {item} for {person} has a hole in it",
        "what you delivered {time} is a faulty {item}",
    ),
    "payment_failed": (
        "my payment for the {trip} did not go through",
        "the shop in {place} refused my card",
        "I cannot pay for the {item}, the page shows an error",
        "my card was declined {time} at the till",
        "the checkout keeps turning down my payment of {money}",
        "why was the payment for {person} rejected",
        "the machine would not take my card in {place}",
        "I tried to pay {money} three times without luck",
    ),
    "charge_unknown": (
        "there is a charge of {money} that I do not know",
        "I was charged twice for the {item}",
        "somebody in {place} paid {money} with my card",
        "my statement shows a payment that I never made",
        "why did you take {money} from my account {time}",
        "the bill for the {trip} is higher than agreed",
        "I do not recognise a payment made {time}",
        "you charged {person} for a {trip} that we did not book",
    ),
    "account_access": (
        "I cannot log in to my account",
        "my password is not accepted since {time}",
        "the code for the login never reaches my phone",
        "my account has been locked {time}",
        "I forgot the password of the account for {person}",
        "the app throws me out whenever I log in",
        "how do I get back into my account without my old phone",
        "the link to set a new password does not work",
    ),
    "account_details": (
        "I moved to {place} and have a new address",
        "please change the phone number in my account",
        "my name is spelled wrong in the account",
        "I would like to use another email address",
        "can you update my account to my married name",
        "how do I replace my old phone number with the one of {person}",
        "the address on my account is out of date since {time}",
        "please close my account and delete my data",
    ),
}

# Mentions of another matter, by intent, in the words of its requests.
MENTIONS: dict[str, tuple[str, ...]] = {
    "card_lost": ("the card that was stolen", "my lost card", "the missing wallet", "blocking the card"),
    "card_delivery": ("the new card in the post", "the card that had not arrived", "how long a card takes"),
    "refund_request": ("sending back the {item} for a refund", "money back for the {trip}", "claiming {money} back"),
    "refund_status": ("the refund you promised {time}", "news on my refund", "the rest of the refund"),
    "booking_change": ("moving the {trip} to {date}", "changing the booking", "adding {person} to the booking"),
    "booking_cancel": ("cancelling the {trip}", "calling off the {trip} to {place}", "the cancelled booking"),
    "delivery_late": ("the parcel that was late", "the tracking page", "the delivery of the {item}"),
    "item_damaged": ("the broken {item}", "the crack in the {item}", "the faulty {item}", "the hole in my {item}"),
    "payment_failed": ("the payment that did not go through", "the declined card", "the error when I tried to pay"),
    "charge_unknown": ("being charged twice", "the charge I do not recognise", "the payment I never made"),
    "account_access": ("the locked account", "my forgotten password", "the login code on my phone"),
    "account_details": ("my new address", "the wrong phone number", "my name in the account", "the new email address"),
}

# One bag of words, two intents: only word order distinguishes them.
CONTRASTS: dict[str, tuple[str, ...]] = {
    "card_lost": (
        "the new card arrived but I lost the old one {time}",
        "the old card is the lost one, not the new one",
    ),
    "card_delivery": (
        "I lost the old card but the new one never arrived",
        "the lost card is the old one, and the new one is not here",
    ),
    "refund_request": ("I know the status of the first refund, I want to ask for another refund of {money}",),
    "refund_status": ("I want to know the status of the first refund, not to ask for another refund of {money}",),
    "booking_change": ("do not cancel the {trip}, change it to {date}", "change the {trip} rather than cancel it"),
    "booking_cancel": ("do not change the {trip}, cancel it", "cancel the {trip} rather than change it to {date}"),
    "delivery_late": ("the broken {item} is here but the second parcel is late", "late is the parcel, not broken"),
    "item_damaged": ("the late parcel is here but the second {item} is broken", "broken is the parcel, not late"),
    "payment_failed": (
        "I know the charge of {money}, but the payment failed",
        "the charge did not fail, the payment did",
    ),
    "charge_unknown": ("the payment of {money} failed, but I do not know the charge",),
    "account_access": ("my details are right but the login is wrong in the app", "fix the login, not the address"),
    "account_details": ("the login is right but my details are wrong in the app", "fix the address, not the login"),
}

# Requests that could mean either of two neighbouring intents; which one was meant is random.
AMBIGUOUS: dict[tuple[str, str], tuple[str, ...]] = {
    ("card_lost", "card_delivery"): ("I do not have my card and need one for {place}", "where is my card"),
    ("refund_request", "refund_status"): ("I am writing about the refund for the {item}", "what about my {money}"),
    ("booking_change", "booking_cancel"): ("the dates of my {trip} no longer suit me", "I cannot travel on {date}"),
    ("delivery_late", "item_damaged"): (
        "there is a problem with the {item} I ordered {time}",
        "I still have no {item} to use",
    ),
    ("payment_failed", "charge_unknown"): (
        "something is wrong with a payment of {money}",
        "the payment {time} looks odd",
    ),
    ("account_access", "account_details"): (
        "my account has my old phone number",
        "I need help with my account and email",
    ),
}
